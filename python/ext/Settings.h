//===- Settings.h - What Python code has set --------------------*- C++ -*-===//
#pragma once

#include "boo/runtime/Launcher.h"

namespace boo::python {

/// Overrides of the environment for this process, from boo.runtime and
/// boo.set_math. Guarded by the GIL.
struct Settings {
  std::string cacheDir; ///< "" = BOO_CACHE_DIR
  int cacheOn = -1;     ///< -1 = BOO_CACHE_ON
  std::string math;     ///< "" = BOO_MATH
};
Settings &settings();

/// The options for a load, with the settings in them. Throws ValueError when a
/// variable of the environment has an unusable value.
CompileOptions currentOptions();

} // namespace boo::python
