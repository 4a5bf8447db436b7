//===- Trust.h - What nobody else can change --------------------*- C++ -*-===//
//
// What is loaded runs with this user's rights. So neither the file nor its name
// may be in the hands of others between the check and the load.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

struct stat;

namespace boo {

/// Ok if it belongs to this user or root and nobody else may write to it.
/// `what` names it in the error.
Status checkOwner(const struct stat &info, const std::string &what);

/// Ok if nobody else can put another folder in the place of `dir`: all folders
/// on the way to it, through links too, pass checkOwner; those with the sticky
/// bit, as /tmp, may be writable. The error names the folder at fault; it is
/// NotFound if there is no `dir`. Each folder is walked to once a process.
Status checkTrusted(const std::string &dir);

} // namespace boo
