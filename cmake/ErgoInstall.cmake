# Installs the stages, their headers and the package that find_package(ergo) finds.
include(CMakePackageConfigHelpers)

get_property(stages GLOBAL PROPERTY ERGO_STAGE_TARGETS)
install(TARGETS ${stages} EXPORT ergo-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ergo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT ergo-targets NAMESPACE ergo:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ergo)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ergo-config.cmake.in ${PROJECT_BINARY_DIR}/ergo-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ergo)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ergo-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ergo-config.cmake ${PROJECT_BINARY_DIR}/ergo-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ergo)
