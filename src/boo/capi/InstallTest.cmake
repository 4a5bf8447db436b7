# Installs the build into an empty prefix and uses it from outside.
function(must)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed with ${result}: ${ARGN}")
  endif()
endfunction()

file(REMOVE_RECURSE ${work})
must(${CMAKE_COMMAND} --install ${build} --prefix ${work}/prefix)
must(${CMAKE_COMMAND} -S ${source}/examples -B ${work}/build -G ${generator}
     -D CMAKE_PREFIX_PATH=${work}/prefix -D CMAKE_C_COMPILER=${compiler})
must(${CMAKE_COMMAND} --build ${work}/build)
if(run)
  # Moved: nothing may point to where it was installed.
  file(RENAME ${work}/prefix ${work}/moved)
  file(GLOB_RECURSE library ${work}/moved/libboo.so)
  get_filename_component(folder ${library} DIRECTORY)
  must(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${folder}
       BOO_CACHE_DIR=${work}/cache ${work}/build/run_conv)
  must(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${folder}
       BOO_CACHE_DIR=${work}/cache ${work}/build/run_conv)
endif()
