/* SPDX-License-Identifier: MIT */
/* A user's program: an item goes through a channel, and headers and library are of the same version. */
#include <stdio.h>
#include <uvflow.h>

int main(void) {
  const unsigned headers = UVFLOW_VERSION_MAJOR << 16 | UVFLOW_VERSION_MINOR << 8 | UVFLOW_VERSION_PATCH;
  uvf_chan_options_t options = {.item_size = sizeof(int), .capacity = 1};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  int sent = 42, received = 0;
  if (uvf_version() != headers) {
    fprintf(stderr, "library %x, headers %x\n", uvf_version(), headers);
    return 1;
  }
  if (uvf_chan_create(&options, &tx, &rx) != 0) return 1;
  int ok = uvf_try_send(tx, &sent) == 0 && uvf_try_recv(rx, &received) == 0 && received == sent;
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  return ok ? 0 : 1;
}
