// The only header that includes napi.h: the feature macros come first, so that no translation unit can forget one.
#pragma once

#define NAPI_VERSION 9
#define NODE_ADDON_API_CPP_EXCEPTIONS
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#define NODE_ADDON_API_DISABLE_DEPRECATED
#define NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED

#include <napi.h>
