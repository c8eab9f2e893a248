# SPDX-License-Identifier: MIT
# How tests are made; test/CMakeLists.txt is the list. Names in ctest: DIR/NAME for a file test/DIR/NAME_test.c.
# Labels: unit, model, stress, fuzz, house, install.
include_guard(GLOBAL)

option(UVFLOW_BUILD_MODELS "Build the models, if a C++ compiler and Relacy are found" ON)
option(UVFLOW_BUILD_FUZZ "Build the fuzz targets for libFuzzer, too (clang only; the preset fuzz has the flags)" OFF)

find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_program(UVFLOW_SH sh REQUIRED)

include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
else()
  message(STATUS "No C++ compiler: headers are not compiled as C++, and there are no models")
endif()

set(uvflow_models OFF)
if(UVFLOW_BUILD_MODELS AND CMAKE_CXX_COMPILER)
  find_path(UVFLOW_RELACY relacy/relacy.hpp)
  if(UVFLOW_RELACY)
    set(uvflow_models ON)
  else()
    message(STATUS "Relacy not found: no models (Debian: relacy-dev)")
  endif()
endif()

# uvflow_test_support(FILE...): what all tests link with.
function(uvflow_test_support)
  add_library(uvf_test_support STATIC ${ARGN})
  uvflow_compile(uvf_test_support)
  # src/ for private headers: the static library's hidden symbols can be linked with.
  target_include_directories(uvf_test_support PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/test)
  target_link_libraries(uvf_test_support PUBLIC uvflow::uvflow_static PkgConfig::CMOCKA Threads::Threads)
endfunction()

function(uvflow_test_program target file)
  add_executable(${target} ${file})
  uvflow_compile(${target})
  target_link_libraries(${target} PRIVATE uvf_test_support)
endfunction()

# uvflow_test(DIR/NAME): test/DIR/NAME_test.c, a cmocka program.
function(uvflow_test name)
  string(REPLACE / _ target ${name}_test)
  uvflow_test_program(${target} ${name}_test.c)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT 60 LABELS unit)
endfunction()

# uvflow_test_again(DIR/NAME VARIABLE=VALUE): the same program in another environment.
function(uvflow_test_again name environment)
  string(REPLACE / _ target ${name}_test)
  string(REPLACE = _ suffix ${environment})
  add_test(NAME ${name}_${suffix} COMMAND ${target})
  set_tests_properties(${name}_${suffix} PROPERTIES TIMEOUT 60 LABELS unit ENVIRONMENT ${environment})
endfunction()

# uvflow_stress(NAME [ARGUMENT...]): test/stress/NAME_stress.c, run with these arguments. Another line with the same NAME and
# other arguments is another test of the same program.
function(uvflow_stress name)
  if(NOT TARGET ${name}_stress)
    uvflow_test_program(${name}_stress stress/${name}_stress.c)
  endif()
  list(JOIN ARGN _ arguments)
  string(REPLACE -- "" arguments "${arguments}")
  string(REGEX REPLACE "_$" "" test stress/${name}_${arguments})
  add_test(NAME ${test} COMMAND ${name}_stress ${ARGN})
  set_tests_properties(${test} PROPERTIES TIMEOUT 120 LABELS stress)
endfunction()

# uvflow_fuzz(NAME FILE...): a fuzz target of test/fuzz/. As an ordinary program, NAME_random with NAME_random.c, which runs
# the corpus, and then random inputs for 5 seconds; with UVFLOW_BUILD_FUZZ also with libFuzzer, as NAME_fuzz.
function(uvflow_fuzz name)
  set(dir ${PROJECT_SOURCE_DIR}/test/fuzz)
  uvflow_test_program(${name}_random fuzz/${name}_random.c)
  target_sources(${name}_random PRIVATE ${ARGN})
  add_test(NAME fuzz/${name}_corpus COMMAND ${name}_random ${dir}/corpus)
  add_test(NAME fuzz/${name}_random_seed_1_seconds_5 COMMAND ${name}_random --seed 1 --seconds 5)
  set_tests_properties(fuzz/${name}_corpus fuzz/${name}_random_seed_1_seconds_5 PROPERTIES TIMEOUT 120 LABELS fuzz)
  if(UVFLOW_BUILD_FUZZ)
    add_executable(${name}_fuzz ${ARGN})
    uvflow_compile(${name}_fuzz)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name}_fuzz PRIVATE uvf_test_support)
  endif()
endfunction()

# ---- models ----

# Without -fno-lifetime-dse gcc removes the stores by which Relacy's destructors mark an object as dead.
function(uvflow_model_compile target)
  target_compile_options(${target} PRIVATE -std=c++11 -O1 -fpermissive -w ${ARGN}
    $<$<CXX_COMPILER_ID:GNU>:-fno-lifetime-dse>)
  target_compile_definitions(${target} PRIVATE UVF_MODEL)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/test/model ${UVFLOW_RELACY})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
endfunction()

# The words behind "KEY:" in a model's first comment.
function(uvflow_model_header file key out)
  file(STRINGS ${file} lines REGEX "^ \\* ${key}:")
  set(all "")
  foreach(line IN LISTS lines) # a key may have several lines
    string(REGEX REPLACE "^ \\* ${key}: *([^*]*).*" "\\1" words "${line}")
    separate_arguments(words UNIX_COMMAND "${words}")
    list(APPEND all ${words})
  endforeach()
  set(${out} "${all}" PARENT_SCOPE)
endfunction()

# uvflow_model(NAME): test/model/NAME_model.cpp with the sources that it names must pass; and each of its mutants in
# mutants.txt must be found: one of these sources with an order weakened or a step swapped.
function(uvflow_model name)
  if(NOT uvflow_models)
    return()
  endif()
  set(dir ${PROJECT_SOURCE_DIR}/test/model)
  set(file ${dir}/${name}_model.cpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file} ${dir}/mutants.txt)
  uvflow_model_header(${file} sources sources)
  uvflow_model_header(${file} flags flags)
  list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/src/)
  set_source_files_properties(${sources} PROPERTIES LANGUAGE CXX) # in this directory; the library's are C

  if(NOT TARGET uvf_model_runtime)
    add_library(uvf_model_runtime OBJECT ${dir}/model_runtime.cpp)
    uvflow_model_compile(uvf_model_runtime)
  endif()
  # An archive, so that a mutant's changed file takes the place of its twin, and only that file is compiled anew.
  add_library(${name}_model_parts STATIC ${file} ${sources})
  uvflow_model_compile(${name}_model_parts ${flags})

  uvflow_model_program(${name}_model ${name}_model_parts)
  add_test(NAME model/${name} COMMAND ${name}_model)
  # A mutant of a model that fails anyway would prove nothing: it is run only if the model has passed.
  set_tests_properties(model/${name} PROPERTIES TIMEOUT 300 LABELS model FIXTURES_SETUP model_${name})

  file(STRINGS ${dir}/mutants.txt mutants REGEX "^= ${name} ")
  foreach(line IN LISTS mutants)
    separate_arguments(words UNIX_COMMAND "${line}")
    list(GET words 2 mutant)
    list(GET words 3 changed)
    uvflow_model_mutant(${name} ${mutant} ${changed} ${flags})
  endforeach()
endfunction()

function(uvflow_model_program target parts)
  add_executable(${target} ${ARGN} $<TARGET_OBJECTS:uvf_model_runtime>)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${target} PRIVATE ${parts})
endfunction()

function(uvflow_model_mutant name mutant changed)
  set(dir ${PROJECT_SOURCE_DIR}/test/model)
  set(target ${name}_mutant_${mutant})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}_${mutant}.cpp)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/mutants)
  add_custom_command(OUTPUT ${out}
    COMMAND ${UVFLOW_SH} ${dir}/mutate.sh ${PROJECT_SOURCE_DIR}/src ${name} ${mutant} > ${out}.tmp
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${out}.tmp ${out}
    DEPENDS ${dir}/mutate.sh ${dir}/mutants.txt ${PROJECT_SOURCE_DIR}/src/${changed}
    COMMENT "Mutant ${mutant} of ${name}"
    VERBATIM)
  uvflow_model_program(${target} ${name}_model_parts ${out})
  uvflow_model_compile(${target} ${ARGN})
  add_test(NAME model/${name}/${mutant} COMMAND ${target})
  set(findings "DATA RACE|ASSERT FAILED|INVARIANT FAILED|DOUBLE FREE|ACCESS TO|DEADLOCK|LIVELOCK|MEMORY LEAK|MUTEX")
  set_tests_properties(model/${name}/${mutant} PROPERTIES TIMEOUT 300 LABELS model
    FIXTURES_REQUIRED model_${name} PASS_REGULAR_EXPRESSION "found: [A-Z ]*(${findings})")
endfunction()

# ---- headers ----

# Each public header is compiled alone, as C11 and as C++17. In C only those with <uv.h> are given POSIX by _GNU_SOURCE.
function(uvflow_header_tests)
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/include/*.h)
  set(c_files "")
  set(cpp_files "")
  foreach(header IN LISTS headers)
    string(MAKE_C_IDENTIFIER ${header} stem)
    foreach(language c cpp)
      set(file ${CMAKE_CURRENT_BINARY_DIR}/headers/${stem}.${language})
      # Twice: that the guard works. The declaration: a file with nothing in it is not C.
      file(GENERATE OUTPUT ${file} CONTENT
        "#include <${header}>\n#include <${header}>\nextern int uvflow_header_${stem};\n")
      list(APPEND ${language}_files ${file})
    endforeach()
    if(NOT header MATCHES "^uvflow(/uv)?\\.h$")
      set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/headers/${stem}.c PROPERTIES COMPILE_OPTIONS -U_GNU_SOURCE)
    endif()
  endforeach()

  add_library(uvf_headers_c OBJECT ${c_files})
  uvflow_compile(uvf_headers_c)
  target_compile_options(uvf_headers_c PRIVATE -Werror)
  target_link_libraries(uvf_headers_c PRIVATE uvflow::uvflow)
  if(CMAKE_CXX_COMPILER)
    add_library(uvf_headers_cxx OBJECT ${cpp_files})
    set_target_properties(uvf_headers_cxx PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
    target_compile_options(uvf_headers_cxx PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
    target_link_libraries(uvf_headers_cxx PRIVATE uvflow::uvflow)
  endif()
endfunction()

# ---- the installed package, the house rules ----

# Typed ends: a program that uses them, and its wrong variants, which must not compile.
function(uvflow_typed_tests)
  add_executable(typed_good typed/good.c)
  uvflow_compile(typed_good)
  target_link_libraries(typed_good PRIVATE uvflow::uvflow)
  add_test(NAME typed/good COMMAND typed_good)
  set_tests_properties(typed/good PROPERTIES TIMEOUT 60 LABELS unit)
  if(CMAKE_CXX_COMPILER)
    add_test(NAME typed/wrong
      COMMAND ${UVFLOW_SH} ${PROJECT_SOURCE_DIR}/test/typed/wrong.sh
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/test/typed/good.c)
    set_tests_properties(typed/wrong PROPERTIES TIMEOUT 60 LABELS unit
      ENVIRONMENT "CC=${CMAKE_C_COMPILER};CXX=${CMAKE_CXX_COMPILER}")
  endif()
endfunction()

# Not with a sanitizer: a program that is built without it cannot link with a library that is built with it.
function(uvflow_install_tests)
  if(CMAKE_C_FLAGS MATCHES "-fsanitize" OR NOT UVFLOW_INSTALL)
    return()
  endif()
  # The two files are compiled with what the library's own build defines, too; run.sh says the rest.
  get_target_property(definitions uvflow_static COMPILE_DEFINITIONS)
  list(FILTER definitions EXCLUDE REGEX "^(UVFLOW_BUILDING|UVFLOW_CHECKS=1|_GNU_SOURCE)$")
  list(TRANSFORM definitions PREPEND -D)
  foreach(how package pkgconfig subdirectory amalgamation)
    add_test(NAME install/${how} COMMAND ${UVFLOW_SH} ${PROJECT_SOURCE_DIR}/test/install/run.sh
      ${how} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${definitions})
    set_tests_properties(install/${how} PROPERTIES TIMEOUT 120 LABELS install
      ENVIRONMENT "CC=${CMAKE_C_COMPILER};CXX=${CMAKE_CXX_COMPILER};CMAKE=${CMAKE_COMMAND};CMAKE_GENERATOR=${CMAKE_GENERATOR}")
  endforeach()
  add_custom_target(uvf_amalgamation ALL)
  add_dependencies(uvf_amalgamation amalgamation)
  add_test(NAME install/amalgamation_names COMMAND ${UVFLOW_SH} ${PROJECT_SOURCE_DIR}/test/install/names.sh ${PROJECT_SOURCE_DIR})
  add_test(NAME install/exports COMMAND ${UVFLOW_SH} ${PROJECT_SOURCE_DIR}/test/install/exports.sh ${PROJECT_SOURCE_DIR})
  set_tests_properties(install/amalgamation_names install/exports PROPERTIES TIMEOUT 60 LABELS install
    ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
endfunction()

# The reference by doxygen; and docs/migrating.md, whose programs compile and print what it says.
function(uvflow_docs_tests)
  set(dir ${PROJECT_SOURCE_DIR}/test/install)
  add_test(NAME docs/reference COMMAND ${UVFLOW_SH} ${dir}/docs.sh ${PROJECT_SOURCE_DIR})
  set_tests_properties(docs/reference PROPERTIES TIMEOUT 120 LABELS house SKIP_RETURN_CODE 77
    ENVIRONMENT "CMAKE=${CMAKE_COMMAND}")
  add_test(NAME docs/migrating
    COMMAND ${UVFLOW_SH} ${dir}/migrating.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:uvflow_static>)
  set_tests_properties(docs/migrating PROPERTIES TIMEOUT 60 LABELS install
    ENVIRONMENT "CC=${CMAKE_C_COMPILER};CFLAGS=${CMAKE_C_FLAGS}")
endfunction()

# uvflow_house_tests(CHECK...): cmake/checks/CHECK.sh over this tree, and all of them over trees that break their rule.
function(uvflow_house_tests)
  set(dir ${PROJECT_SOURCE_DIR}/cmake/checks)
  foreach(check IN LISTS ARGN)
    add_test(NAME house/${check} COMMAND ${UVFLOW_SH} ${dir}/${check}.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:uvflow>)
    set_tests_properties(house/${check} PROPERTIES TIMEOUT 60 LABELS house ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
  endforeach()
  add_test(NAME house/checks_work COMMAND ${UVFLOW_SH} ${dir}/checks_work.sh ${ARGN})
  set_tests_properties(house/checks_work PROPERTIES TIMEOUT 120 LABELS house)
endfunction()
