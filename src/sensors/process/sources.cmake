target_sources(ergo_sensors PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/cgroup.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cpu_source.cpp
  ${CMAKE_CURRENT_LIST_DIR}/process.cpp
  ${CMAKE_CURRENT_LIST_DIR}/procfs.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tree.cpp)
