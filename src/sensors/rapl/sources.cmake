target_sources(ergo_sensors PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/domain.cpp
  ${CMAKE_CURRENT_LIST_DIR}/perf.cpp
  ${CMAKE_CURRENT_LIST_DIR}/powercap.cpp
  ${CMAKE_CURRENT_LIST_DIR}/rapl.cpp)
