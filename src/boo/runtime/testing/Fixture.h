//===- Fixture.h - What runtime tests share ---------------------*- C++ -*-===//
#pragma once

#include "boo/base/Hash.h"
#include "boo/runtime/Artifact.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/testing/FixtureArtifact.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace boo::testing {

/// A folder of its own, removed at the end.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string pattern = "/tmp/boo-test-XXXXXX";
    Path = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(Path, ignored);
  }
  const std::string &path() const { return Path; }
  std::string operator/(const std::string &name) const {
    return Path + "/" + name;
  }

private:
  std::string Path;
};

inline std::string keyOf(int number) {
  return hashHex("key " + std::to_string(number));
}

/// Bytes of the unsealed artifact with its key and name set.
inline std::string fixtureBytes(const std::string &key,
                                std::string name = "fixture") {
  std::ifstream in(BOO_FIXTURE_ARTIFACT, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  auto patch = [&](std::string_view from, std::string to) {
    to.resize(from.size(), '_');
    bytes.replace(bytes.find(from), from.size(), to);
  };
  patch(FIXTURE_KEY, key);
  patch(FIXTURE_NAME, name);
  return bytes;
}

/// Quick, without the sync that writeFile does.
inline void putFile(const std::string &path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  std::filesystem::permissions(path, std::filesystem::perms::owner_read |
                                         std::filesystem::perms::owner_write);
}

inline Status makeFixture(const std::string &path, const std::string &key,
                          const std::string &name = "fixture") {
  putFile(path, fixtureBytes(key, name));
  return sealArtifact(path);
}

} // namespace boo::testing
