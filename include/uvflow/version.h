/* SPDX-License-Identifier: MIT */
/** @file
 * The version of these headers; uvf_version() tells that of the library at run time. CMake reads the numbers from here.
 */
#ifndef UVFLOW_VERSION_H
#define UVFLOW_VERSION_H

/** Changes where programs have to be changed; before 1.0 the minor number does that. */
#define UVFLOW_VERSION_MAJOR 0
/** Changes where something was added. */
#define UVFLOW_VERSION_MINOR 1
/** Changes where something was mended. */
#define UVFLOW_VERSION_PATCH 0

#endif
