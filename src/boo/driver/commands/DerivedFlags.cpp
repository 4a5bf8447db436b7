//===- DerivedFlags.cpp - A flag table made from another ------------------===//

#include "boo/driver/commands/DerivedFlags.h"

using namespace boo;

std::vector<Flag>
boo::deriveFlags(FlagTable base,
                 const std::vector<std::pair<size_t, Flag>> &instead,
                 const std::vector<Flag> &more) {
  std::vector<Flag> table(base.begin(), base.end());
  for (const auto &[place, flag] : instead)
    table[place] = flag;
  table.insert(table.end(), more.begin(), more.end());
  return table;
}

FlagValues
boo::withFlags(const FlagValues &values,
               const std::vector<std::pair<size_t, std::string>> &instead,
               const std::string &why, std::vector<std::string> *notes) {
  FlagValues result = values;
  for (const auto &[flag, value] : instead) {
    if (values.given(flag) && values.text(flag) != value)
      notes->push_back(flagSpelling(values.table()[flag]) + " '" +
                       values.text(flag).substr(0, 60) +
                       "' is ignored: " + why);
    result.add(flag, value);
  }
  return result;
}
