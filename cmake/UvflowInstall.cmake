# SPDX-License-Identifier: MIT
# install(): libraries, headers, the CMake package and uvflow.pc.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/uvflow)

install(TARGETS uvflow uvflow_static EXPORT uvflowTargets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT uvflowTargets NAMESPACE uvflow:: DESTINATION ${package_dir})

configure_package_config_file(cmake/uvflowConfig.cmake.in uvflowConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a new minor version may change the interface; the SOVERSION says the same to the loader.
write_basic_package_version_file(uvflowConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/uvflowConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/uvflowConfigVersion.cmake
  cmake/UvflowLibuv.cmake
  DESTINATION ${package_dir})

# In uvflow.pc paths are relative to ${prefix} where they can be, so that a moved tree keeps working.
foreach(kind INCLUDE LIB)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}DIR}")
    set(pc_${kind}DIR "${CMAKE_INSTALL_${kind}DIR}")
  else()
    set(pc_${kind}DIR "\${prefix}/${CMAKE_INSTALL_${kind}DIR}")
  endif()
endforeach()
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_PREFIX "${CMAKE_INSTALL_PREFIX}")
else() # wherever it is installed to
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc_PREFIX "\${pcfiledir}/${up}")
endif()
configure_file(cmake/uvflow.pc.in uvflow.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/uvflow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
