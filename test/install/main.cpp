/* SPDX-License-Identifier: MIT */
/* A user's program in C++17: a loop's callback gets an item, and headers and library are of the same version. */
#include <cstdio>
#include <uvflow.h>

namespace {

struct sum_t {
  int items = 0;
  int end = 0;
};

void on_items(uvf_reader_t *reader, int n, void *items) {
  auto *sum = static_cast<sum_t *>(reader->data);
  if (n < 0) sum->end = n;
  for (int i = 0; i < n; i++)
    sum->items += static_cast<const int *>(items)[i];
}

int receive(uv_loop_t *uv, sum_t *sum) {
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_reader_t reader{};
  uvf_chan_options_t options{};
  int item = 42;
  options.item_size = sizeof item;
  options.capacity = 1;
  reader.data = sum;
  if (uvf_loop_attach(uv, nullptr, &loop) != 0 || uvf_chan_create(&options, &tx, &rx) != 0) return 1;
  if (uvf_reader_start(loop, &reader, rx, nullptr, on_items) != 0 || uvf_try_send(tx, &item) != 0) return 1;
  uvf_rx_release(rx);
  uvf_tx_release(tx);
  uv_run(uv, UV_RUN_DEFAULT);
  if (uvf_loop_detach(loop, nullptr, nullptr) != 0) return 1;
  uv_run(uv, UV_RUN_DEFAULT);
  return 0;
}

} // namespace

int main() {
  const unsigned headers = UVFLOW_VERSION_MAJOR << 16 | UVFLOW_VERSION_MINOR << 8 | UVFLOW_VERSION_PATCH;
  if (uvf_version() != headers) {
    std::fprintf(stderr, "library %x, headers %x\n", uvf_version(), headers);
    return 1;
  }
  uv_loop_t uv;
  sum_t sum;
  if (uv_loop_init(&uv) != 0 || receive(&uv, &sum) != 0) return 1;
  return sum.items == 42 && sum.end == UV_EOF && uv_loop_close(&uv) == 0 ? 0 : 1;
}
