target_sources(ergo_sensors PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/amdgpu.cpp
  ${CMAKE_CURRENT_LIST_DIR}/battery.cpp
  ${CMAKE_CURRENT_LIST_DIR}/chip.cpp
  ${CMAKE_CURRENT_LIST_DIR}/chips.cpp
  ${CMAKE_CURRENT_LIST_DIR}/gpu_metrics.cpp
  ${CMAKE_CURRENT_LIST_DIR}/gpus.cpp
  ${CMAKE_CURRENT_LIST_DIR}/hwmon.cpp)
