/* SPDX-License-Identifier: MIT */
/* libuv's error codes without <uv.h>, which the layers below src/uv do not include. A file that needs both includes
 * <uv.h> first. */
#ifndef UVF_BASE_ERRNO_H
#define UVF_BASE_ERRNO_H

#ifndef UV_H
#include <uv/errno.h>

enum {
  UV_EAGAIN = UV__EAGAIN,
  UV_EALREADY = UV__EALREADY,
  UV_EBUSY = UV__EBUSY,
  UV_ECANCELED = UV__ECANCELED,
  UV_EINVAL = UV__EINVAL,
  UV_ENOMEM = UV__ENOMEM,
  UV_ENOTSUP = UV__ENOTSUP,
  UV_EOF = UV__EOF,
  UV_EPERM = UV__EPERM,
  UV_EPIPE = UV__EPIPE,
  UV_ETIMEDOUT = UV__ETIMEDOUT
};
#endif

#endif
