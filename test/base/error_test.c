/* SPDX-License-Identifier: MIT */
/* Names and texts of error codes, and the version. */
#include "support/uvf_test.h"

typedef struct {
  int code;
  const char *name, *text;
} row_t;

static const row_t rows[] = {
#define ROW(name, text) {UV_##name, #name, text},
    UV_ERRNO_MAP(ROW)
#undef ROW
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void every_code_of_libuv_has_its_name_and_text(void **state) {
  (void)state;
  for (int i = 0; i < ROWS; i++) {
    assert_string_equal(uvf_err_name(rows[i].code), rows[i].name);
    assert_string_equal(uvf_strerror(rows[i].code), rows[i].text);
  }
}

static void they_are_what_libuv_itself_says(void **state) {
  (void)state;
  for (int i = 0; i < ROWS; i++) {
    assert_string_equal(uvf_err_name(rows[i].code), uv_err_name(rows[i].code));
    assert_string_equal(uvf_strerror(rows[i].code), uv_strerror(rows[i].code));
  }
}

static void uvflow_s_own_codes_have_names_and_texts(void **state) {
  (void)state;
  assert_string_equal(uvf_err_name(UVF_EDEADLK), "EDEADLK");
  assert_string_equal(uvf_err_name(UVF_ELAGGED), "ELAGGED");
  assert_true(strlen(uvf_strerror(UVF_EDEADLK)) > 10);
  assert_true(strlen(uvf_strerror(UVF_ELAGGED)) > 10);
  assert_string_not_equal(uvf_strerror(UVF_EDEADLK), uvf_strerror(UVF_ELAGGED));
}

static void uvflow_s_own_codes_are_none_of_libuv_s(void **state) {
  (void)state;
  for (int i = 0; i < ROWS; i++) {
    assert_int_not_equal(rows[i].code, UVF_EDEADLK);
    assert_int_not_equal(rows[i].code, UVF_ELAGGED);
  }
}

static void zero_is_no_error(void **state) {
  (void)state;
  assert_string_equal(uvf_err_name(0), "OK");
  assert_string_equal(uvf_strerror(0), "success");
}

static void an_unknown_code_has_a_fixed_name_and_text(void **state) {
  static const int unknown[] = {1, 42, -123456, INT32_MIN, INT32_MAX};
  (void)state;
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    assert_string_equal(uvf_err_name(unknown[i]), "UNKNOWN");
    assert_string_equal(uvf_strerror(unknown[i]), uvf_strerror(unknown[0]));
    assert_ptr_equal(uvf_strerror(unknown[i]), uvf_strerror(unknown[i]));
  }
}

static void the_library_s_version_is_that_of_the_headers(void **state) {
  (void)state;
  assert_int_equal(uvf_version(), UVFLOW_VERSION_MAJOR << 16 | UVFLOW_VERSION_MINOR << 8 | UVFLOW_VERSION_PATCH);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(every_code_of_libuv_has_its_name_and_text),
      UVF_TEST(they_are_what_libuv_itself_says),
      UVF_TEST(uvflow_s_own_codes_have_names_and_texts),
      UVF_TEST(uvflow_s_own_codes_are_none_of_libuv_s),
      UVF_TEST(zero_is_no_error),
      UVF_TEST(an_unknown_code_has_a_fixed_name_and_text),
      UVF_TEST(the_library_s_version_is_that_of_the_headers),
  };
  return RUN_TESTS(tests);
}
