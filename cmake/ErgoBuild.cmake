# Functions that every folder's CMakeLists.txt uses: one call a target.

find_program(ERGO_CCACHE ccache)
if(ERGO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ERGO_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ERGO_CCACHE})
endif()

add_library(ergo_flags INTERFACE)
target_compile_options(ergo_flags INTERFACE
  -Wall -Wextra
  $<$<COMPILE_LANGUAGE:CXX>:-Wconversion>
  # GCC 12 sees overlapping copies in std::string's operator+ that are none (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  # In a unity build GCC takes every source for a header and warns of types that are the source's own.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<COMPILE_LANGUAGE:CXX>,$<BOOL:${ERGO_UNITY}>>:-Wno-subobject-linkage>
  $<$<BOOL:${ERGO_WARNINGS_AS_ERRORS}>:-Werror>)

if(ERGO_SANITIZE)
  # One flag for the whole tree, so that no part runs unchecked.
  add_compile_options(-fsanitize=${ERGO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1 -g1)
  add_link_options(-fsanitize=${ERGO_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-g1)
endif()

# ergo_target(<target>): the settings that all targets of the project share.
function(ergo_target target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:ergo_flags>)
  if(ERGO_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  endif()
endfunction()

# ergo_stage(<name> SOURCES <file>... [STAGES <stage>...] [LIBS <library>...])
# A stage of the road of the data. STAGES are the stages to its left that it uses.
function(ergo_stage name)
  cmake_parse_arguments(ARG "" "" "SOURCES;STAGES;LIBS" ${ARGN})
  add_library(ergo_${name} STATIC ${ARG_SOURCES})
  add_library(ergo::${name} ALIAS ergo_${name})
  ergo_target(ergo_${name})
  target_compile_features(ergo_${name} PUBLIC cxx_std_20)
  target_include_directories(ergo_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ARG_STAGES PREPEND ergo_)
  target_link_libraries(ergo_${name} PUBLIC ${ARG_STAGES} PRIVATE ${ARG_LIBS})
  set_target_properties(ergo_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY ERGO_STAGE_TARGETS ergo_${name})
endfunction()

# Paths that tests need, in a header of their own: what does not include it can come from the compiler cache of another
# folder.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/test_paths.hpp CONTENT
"#pragma once\n#define ERGO_SOURCE_DIR \"${PROJECT_SOURCE_DIR}\"\n#define ERGO_BINARY_DIR \"${PROJECT_BINARY_DIR}\"\n")

# ergo_test(<name> SOURCES <file>... [LIBS <library>...] [LABELS <label>...] [TIMEOUT <seconds>] [ENVIRONMENT <VAR=value>...])
# A GoogleTest program; each of its tests is one entry in CTest.
function(ergo_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  ergo_target(${name})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests
    ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main Threads::Threads)
  set(properties TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    list(APPEND properties LABELS "${ARG_LABELS}")
  endif()
  if(ARG_ENVIRONMENT)
    list(APPEND properties ENVIRONMENT "${ARG_ENVIRONMENT}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
