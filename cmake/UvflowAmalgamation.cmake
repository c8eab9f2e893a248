# SPDX-License-Identifier: MIT
# The target `amalgamation`: uvflow.h and uvflow.c in amalgamation/ of the build folder, the library in two files. It needs a
# POSIX sh and awk, so where there are none there is no such target.
find_program(UVFLOW_SH sh)
find_program(UVFLOW_AWK awk)
mark_as_advanced(UVFLOW_SH UVFLOW_AWK)
if(NOT UVFLOW_SH OR NOT UVFLOW_AWK)
  return()
endif()

set(script ${PROJECT_SOURCE_DIR}/cmake/amalgamate)
set(folder ${PROJECT_BINARY_DIR}/amalgamation)
list(TRANSFORM UVFLOW_SOURCES REPLACE "^src/" "" OUTPUT_VARIABLE names)
list(TRANSFORM UVFLOW_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE files)
file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/src/*.h)
add_custom_command(OUTPUT ${folder}/uvflow.h ${folder}/uvflow.c
  COMMAND ${UVFLOW_SH} ${script}.sh ${PROJECT_SOURCE_DIR} ${folder} ${names}
  DEPENDS ${script}.sh ${script}.awk ${PROJECT_SOURCE_DIR}/LICENSE ${files} ${headers}
  COMMENT "uvflow in two files"
  VERBATIM)
add_custom_target(amalgamation DEPENDS ${folder}/uvflow.h ${folder}/uvflow.c)
