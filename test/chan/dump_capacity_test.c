/* SPDX-License-Identifier: MIT */
/* uvf_dump: how it names the capacity of channels that have no number. */
#include "chan/fixture.h"

#include <stdio.h>

#include <uvflow/dump.h>

static void expect_line(size_t capacity, const char *line) {
  uvf_chan_options_t o = {.item_size = sizeof(int), .capacity = capacity, .name = "frames"};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  uvf_dump(NULL, out);
  assert_int_equal(fclose(out), 0);
  assert_non_null(strstr(text, line));
  free(text);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void an_unbounded_channel_says_so(void **state) {
  (void)state;
  expect_line(UVF_UNBOUNDED, "open, 0 items, unbounded");
}

static void a_rendezvous_says_so(void **state) {
  (void)state;
  expect_line(UVF_RENDEZVOUS, "open, 0 items, rendezvous");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_unbounded_channel_says_so),
      cmocka_unit_test(a_rendezvous_says_so),
  };
  return RUN_TESTS(tests);
}
