/* SPDX-License-Identifier: MIT */
/* The clock, and deadlines on it that must not overflow. */
#include "support/uvf_test.h"

#include "base/clock.h"

static void the_clock_never_goes_back(void **state) {
  uint64_t last = uvf__clock_us();
  (void)state;
  for (int i = 0; i < 100000; i++) {
    uint64_t now = uvf__clock_us();
    assert_true(now >= last);
    last = now;
  }
}

static void the_clock_goes_on(void **state) {
  uint64_t begin = uvf__clock_us();
  (void)state;
  for (long i = 0; uvf__clock_us() == begin; i++)
    assert_true(i < 100000000);
}

static void the_clock_counts_microseconds_since_the_same_moment_as_the_system_s(void **state) {
  uint64_t before = uv_hrtime() / 1000, now = uvf__clock_us(), after = uv_hrtime() / 1000;
  (void)state;
  assert_in_range(now, before, after);
}

static void a_deadline_is_so_many_milliseconds_from_now(void **state) {
  (void)state;
  assert_true(uvf__deadline_us(0, 0) == 0);
  assert_true(uvf__deadline_us(5, 0) == 5);
  assert_true(uvf__deadline_us(5, 1) == 1005);
  assert_true(uvf__deadline_us(1234567, 1000) == 2234567);
}

static void the_largest_deadline_that_fits_is_exact(void **state) {
  uint64_t most = UINT64_MAX / 1000;
  (void)state;
  assert_true(uvf__deadline_us(0, most) == most * 1000);
  assert_true(uvf__deadline_us(UINT64_MAX - most * 1000, most) == UINT64_MAX);
  assert_true(uvf__deadline_us(UINT64_MAX - 5000, 5) == UINT64_MAX);
  assert_true(uvf__deadline_us(UINT64_MAX - 5001, 5) == UINT64_MAX - 1);
}

static void a_deadline_past_the_end_of_the_clock_means_never(void **state) {
  (void)state;
  assert_true(uvf__deadline_us(0, UINT64_MAX) == UINT64_MAX);
  assert_true(uvf__deadline_us(0, UINT64_MAX / 1000 + 1) == UINT64_MAX);
  assert_true(uvf__deadline_us(UINT64_MAX, 1) == UINT64_MAX);
  assert_true(uvf__deadline_us(UINT64_MAX, 0) == UINT64_MAX);
  assert_true(uvf__deadline_us(UINT64_MAX - 999, 1) == UINT64_MAX);
  assert_true(uvf__deadline_us(uvf__clock_us(), UINT64_MAX - 1) == UINT64_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(the_clock_never_goes_back),
      UVF_TEST(the_clock_goes_on),
      UVF_TEST(the_clock_counts_microseconds_since_the_same_moment_as_the_system_s),
      UVF_TEST(a_deadline_is_so_many_milliseconds_from_now),
      UVF_TEST(the_largest_deadline_that_fits_is_exact),
      UVF_TEST(a_deadline_past_the_end_of_the_clock_means_never),
  };
  return RUN_TESTS(tests);
}
