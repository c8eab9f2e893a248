# SPDX-License-Identifier: MIT
# How all C of this repository is compiled: C11 without extensions, and the warnings of the house. The functions of
# POSIX and Linux are asked for by _GNU_SOURCE.
include_guard(GLOBAL)

function(uvflow_compile target)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  endif()
  if(NOT UVFLOW_ATOMICS)
    target_compile_definitions(${target} PRIVATE UVFLOW_NO_ATOMICS=1)
  endif()
  if(UVFLOW_CHECKS)
    target_compile_definitions(${target} PRIVATE UVFLOW_CHECKS=1)
  endif()
  if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
      $<$<BOOL:${UVFLOW_WERROR}>:-Werror>)
  endif()
  # gcc warns that ThreadSanitizer does not see fences. It does not: those orders are proved by test/model.
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_FLAGS MATCHES "-fsanitize=thread")
    target_compile_options(${target} PRIVATE -Wno-tsan)
  endif()
endfunction()
