# `cmake --install` gives the libraries, headers, CytogradConfig.cmake, cytograd.pc and the program.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(cytograd_core PROPERTIES EXPORT_NAME core)
install(TARGETS cytograd_core cytograd EXPORT cytograd_targets)
install(EXPORT cytograd_targets NAMESPACE cytograd:: FILE CytogradTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Cytograd)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/cytograd DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${generated}/cytograd/cytograd.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cytograd)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cytograd/models)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/CytogradConfig.cmake.in
  ${PROJECT_BINARY_DIR}/CytogradConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Cytograd)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/CytogradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/CytogradConfig.cmake ${PROJECT_BINARY_DIR}/CytogradConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Cytograd)
configure_file(${CMAKE_CURRENT_LIST_DIR}/cytograd.pc.in ${PROJECT_BINARY_DIR}/cytograd.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cytograd.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET cyto)
  install(TARGETS cyto)
  install(FILES ${PROJECT_SOURCE_DIR}/src/cli/completion.bash RENAME cyto
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  if(NOT CMAKE_CROSSCOMPILING)
    set(man_page ${PROJECT_BINARY_DIR}/cyto.1)
    add_custom_command(OUTPUT ${man_page}
      COMMAND sh ${PROJECT_SOURCE_DIR}/src/cli/man.sh $<TARGET_FILE:cyto> > ${man_page}
      DEPENDS cyto ${PROJECT_SOURCE_DIR}/src/cli/man.sh VERBATIM)
    add_custom_target(cyto_man ALL DEPENDS ${man_page})
    install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  endif()
endif()
