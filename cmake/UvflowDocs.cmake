# SPDX-License-Identifier: MIT
# The target `docs`: the reference of the public headers in docs/html of the build folder.
add_custom_target(docs
  COMMAND ${CMAKE_COMMAND} -DHEADERS=${PROJECT_SOURCE_DIR}/include -DPAGE=${PROJECT_SOURCE_DIR}/docs/reference.md
    -DOUTPUT=${PROJECT_BINARY_DIR}/docs -DVERSION=${PROJECT_VERSION} -P ${PROJECT_SOURCE_DIR}/cmake/docs.cmake
  COMMENT "Reference in docs/html"
  VERBATIM)
