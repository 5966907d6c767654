target_sources(ergo_sensors PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/line_parser.cpp
  ${CMAKE_CURRENT_LIST_DIR}/line_source.cpp
  ${CMAKE_CURRENT_LIST_DIR}/meter.cpp
  ${CMAKE_CURRENT_LIST_DIR}/spec.cpp)
