/* SPDX-License-Identifier: MIT */
/* Names and texts of all error codes: libuv's from the table in its header (which is data; no function of libuv is called
 * here, see src/README.md), then uvflow's own. */
#include <stddef.h>

#include <uv.h>
#include <uvflow/base.h>
#include <uvflow/version.h>

typedef struct {
  int code;
  const char *name, *text;
} error_row_t;

static const error_row_t errors[] = {
    {0, "OK", "success"},
#define ERROR_ROW(name, text) {UV_##name, #name, text},
    UV_ERRNO_MAP(ERROR_ROW)
#undef ERROR_ROW
        {UVF_EDEADLK, "EDEADLK", "blocking call on a thread that runs a loop: use the form with a callback, or try_"},
    {UVF_ELAGGED, "ELAGGED", "disconnected for being slow: subscribe again, or raise the capacity"},
};

static const error_row_t *find(int err) {
  static const error_row_t unknown = {1, "UNKNOWN", "no error code of libuv or uvflow"};
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].code == err) return &errors[i];
  return &unknown;
}

const char *uvf_strerror(int err) {
  return find(err)->text;
}

const char *uvf_err_name(int err) {
  return find(err)->name;
}

unsigned uvf_version(void) {
  return UVFLOW_VERSION_MAJOR << 16 | UVFLOW_VERSION_MINOR << 8 | UVFLOW_VERSION_PATCH;
}
