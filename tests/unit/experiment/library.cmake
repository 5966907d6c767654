# The library from C++ and C, and the documentation's examples.

# The programs that docs/user/library.md shows, as it shows them.
set(library_page ${PROJECT_SOURCE_DIR}/docs/user/library.md)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${library_page})
file(READ ${library_page} page)
foreach(language cpp c)
  string(FIND "${page}" "```${language}\n" begin)
  string(LENGTH "```${language}\n" fence)
  math(EXPR begin "${begin} + ${fence}")
  string(SUBSTRING "${page}" ${begin} -1 example)
  string(FIND "${example}" "```" end)
  string(SUBSTRING "${example}" 0 ${end} example)
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/library_example.${language} CONTENT "${example}")
  add_executable(library_example_${language} ${CMAKE_CURRENT_BINARY_DIR}/library_example.${language})
  ergo_target(library_example_${language})
endforeach()
target_link_libraries(library_example_cpp PRIVATE ergo_experiment)
target_link_libraries(library_example_c PRIVATE ergo_c)
add_executable(c_api_checks c_api_checks.c)
ergo_target(c_api_checks)
target_compile_options(c_api_checks PRIVATE -Wpedantic)
target_link_libraries(c_api_checks PRIVATE ergo_c)
set_target_properties(c_api_checks library_example_c PROPERTIES C_STANDARD 99)
if(ERGO_SANITIZE)  # the sanitizers' C++ runtime comes with the C++ linker only
  set_target_properties(c_api_checks library_example_c PROPERTIES LINKER_LANGUAGE CXX)
endif()

ergo_test(test_monitor SOURCES monitor_test.cpp LIBS ergo_experiment ergo_sim LABELS threads)
ergo_test(test_library SOURCES library_test.cpp LIBS ergo_sim)
foreach(test test_monitor test_library)
  target_compile_definitions(${test} PRIVATE ERGO_SIM_NVML="$<TARGET_FILE:ergo-sim-nvml>")
  add_dependencies(${test} ergo-sim-nvml)
endforeach()
target_compile_definitions(test_library PRIVATE
  ERGO_C_CHECKS="$<TARGET_FILE:c_api_checks>" ERGO_C_EXAMPLE="$<TARGET_FILE:library_example_c>"
  ERGO_CPP_EXAMPLE="$<TARGET_FILE:library_example_cpp>")
add_dependencies(test_library c_api_checks library_example_c library_example_cpp)
