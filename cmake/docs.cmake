# SPDX-License-Identifier: MIT
# cmake -DHEADERS=DIR -DPAGE=FILE -DOUTPUT=DIR -DVERSION=X -P docs.cmake: makes OUTPUT/html from the headers in DIR, and FILE as its
# first page, by doxygen, which is looked up only here, so that nobody needs it who does not ask for this. It fails at the first
# word of doxygen.
cmake_minimum_required(VERSION 3.16)
find_program(doxygen doxygen)
if(NOT doxygen)
  message(FATAL_ERROR "doxygen not found (Debian: doxygen)")
endif()
# Doxygen passes over what is in a file that does not ask for it.
file(GLOB_RECURSE files ${HEADERS}/*.h)
foreach(file IN LISTS files)
  file(STRINGS ${file} asks REGEX "@file" LIMIT_COUNT 1)
  if(NOT asks)
    message(FATAL_ERROR "${file}: no @file in its first comment")
  endif()
endforeach()
file(REMOVE_RECURSE ${OUTPUT}/xml)
configure_file(${CMAKE_CURRENT_LIST_DIR}/../docs/Doxyfile.in ${OUTPUT}/Doxyfile @ONLY)
execute_process(COMMAND ${doxygen} ${OUTPUT}/Doxyfile RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "doxygen: ${result}, see above")
endif()

# Doxygen 1.9.4 has nothing to say about the constants of an enum, nor about an enum without a name.
set(nothing "[ \n]*<briefdescription>[ \n]*</briefdescription>[ \n]*<detaileddescription>[ \n]*</detaileddescription>")
file(GLOB files ${OUTPUT}/xml/*_8h.xml)
foreach(file IN LISTS files)
  file(READ ${file} xml)
  set(value "<name>([A-Za-z0-9_]+)</name>[ \n]*(<initializer>[^<]*</initializer>)?")
  if(xml MATCHES "${value}${nothing}[ \n]*</enumvalue>")
    message(FATAL_ERROR "${CMAKE_MATCH_1} is not documented")
  endif()
  # The last constant stands directly before the enum's own text.
  if(xml MATCHES "</enumvalue>${nothing}")
    string(REGEX REPLACE "</enumvalue>${nothing}.*" "" before "${xml}")
    string(REGEX REPLACE ".*<name>([A-Za-z0-9_]+)</name>.*" "\\1" constant "${before}")
    message(FATAL_ERROR "the enum with ${constant} is not documented")
  endif()
endforeach()
