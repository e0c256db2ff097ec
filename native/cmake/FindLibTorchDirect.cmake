# Finds the parts of the LibTorch in CXR_GAZE_LIBTORCH and makes the target LibTorch::direct.
#
# LibTorch's own TorchConfig.cmake is not used: that of a CUDA LibTorch stops where the whole CUDA toolkit is missing,
# although an addon that only calls LibTorch needs none of it.
#
# Sets LIBTORCH_LIB_DIR and LIBTORCH_HAS_CUDA.
if(NOT EXISTS "${CXR_GAZE_LIBTORCH}/include/ATen/ATen.h")
  message(FATAL_ERROR "Expected a LibTorch folder for CXR_GAZE_LIBTORCH but '${CXR_GAZE_LIBTORCH}' has no include/ATen/ATen.h; "
                      "run `npx cxr-gaze build`, which finds or fetches one")
endif()
set(LIBTORCH_LIB_DIR "${CXR_GAZE_LIBTORCH}/lib")

foreach(name torch torch_cpu c10)
  find_library(LIBTORCH_${name}_LIBRARY NAMES ${name} PATHS "${LIBTORCH_LIB_DIR}" NO_DEFAULT_PATH NO_CACHE REQUIRED)
  list(APPEND LIBTORCH_LIBRARIES "${LIBTORCH_${name}_LIBRARY}")
endforeach()
find_library(LIBTORCH_torch_cuda_LIBRARY NAMES torch_cuda PATHS "${LIBTORCH_LIB_DIR}" NO_DEFAULT_PATH NO_CACHE)
find_library(LIBTORCH_c10_cuda_LIBRARY NAMES c10_cuda PATHS "${LIBTORCH_LIB_DIR}" NO_DEFAULT_PATH NO_CACHE)
set(LIBTORCH_HAS_CUDA FALSE)
if(LIBTORCH_torch_cuda_LIBRARY AND LIBTORCH_c10_cuda_LIBRARY)
  set(LIBTORCH_HAS_CUDA TRUE)
  list(APPEND LIBTORCH_LIBRARIES "${LIBTORCH_torch_cuda_LIBRARY}" "${LIBTORCH_c10_cuda_LIBRARY}")
endif()

add_library(LibTorch::direct INTERFACE IMPORTED)
target_include_directories(LibTorch::direct SYSTEM INTERFACE
  "${CXR_GAZE_LIBTORCH}/include" "${CXR_GAZE_LIBTORCH}/include/torch/csrc/api/include")
if(UNIX)
  target_compile_definitions(LibTorch::direct INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # LibTorch registers its CUDA half in static constructors, which no symbol of ours refers to: without this word the
  # linker drops the library, and CUDA is missing without a message.
  target_link_libraries(LibTorch::direct INTERFACE -Wl,--no-as-needed ${LIBTORCH_LIBRARIES} -Wl,--as-needed)
else()
  target_link_libraries(LibTorch::direct INTERFACE ${LIBTORCH_LIBRARIES})
endif()

# at::parallel_for is an OpenMP loop written out in a header: compiled without OpenMP it runs on one thread. The runtime
# must be the very one that LibTorch loads, since two of them keep two pools of threads.
file(GLOB LIBTORCH_GOMP "${LIBTORCH_LIB_DIR}/libgomp*.so*" "${CXR_GAZE_LIBTORCH}/../torch.libs/libgomp*.so*")
if(LIBTORCH_GOMP AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(GET LIBTORCH_GOMP 0 LIBTORCH_GOMP)
  target_compile_options(LibTorch::direct INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_libraries(LibTorch::direct INTERFACE "${LIBTORCH_GOMP}")
endif()
