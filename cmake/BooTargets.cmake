# Helpers of the build: one call a folder.

# Where `boo` finds the plugin: beside its own libraries, built or installed.
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

add_library(boo_options INTERFACE)
target_include_directories(boo_options INTERFACE ${CMAKE_SOURCE_DIR}/src
                                                 ${CMAKE_SOURCE_DIR}/include)
target_compile_options(boo_options INTERFACE -Wall -Wextra -Wno-unused-parameter
                                             -fvisibility=hidden)
if(BOO_SANITIZE)
  target_compile_options(
    boo_options INTERFACE -fsanitize=${BOO_SANITIZE} -fno-sanitize-recover=all
                          -fno-omit-frame-pointer)
  target_link_options(boo_options INTERFACE -fsanitize=${BOO_SANITIZE})
endif()

# boo_folder(NAME [LIBS lib…]): a static library boo_NAME of the folder's *.cpp
# and, with BOO_TESTS, a GoogleTest program NAME_test of its *Test.cpp.
function(boo_folder name)
  cmake_parse_arguments(arg "" "" "LIBS;TEST_LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "Test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "Test\\.cpp$")
  add_library(boo_${name} STATIC ${sources})
  target_link_libraries(boo_${name} PUBLIC boo_options ${arg_LIBS})
  if(BOO_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE boo_${name} ${arg_TEST_LIBS}
                                               GTest::gtest_main GTest::gmock)
    include(GoogleTest)
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
