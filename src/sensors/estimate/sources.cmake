target_sources(ergo_sensors PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/estimate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tdp.cpp)
