/* SPDX-License-Identifier: MIT */
/* The version of these headers; uvf_version() tells that of the library at run time. CMake reads the numbers from here. */
#ifndef UVFLOW_VERSION_H
#define UVFLOW_VERSION_H

#define UVFLOW_VERSION_MAJOR 0
#define UVFLOW_VERSION_MINOR 1
#define UVFLOW_VERSION_PATCH 0

#endif
