//===- GuardedLaunch.cpp - Runs an artifact between guards ----------------===//

#include "GuardedLaunch.h"
#include "boo/base/Math.h"
#include "boo/graph/partition/Partition.h"
#include "boo/runtime/Artifact.h"

#include <algorithm>
#include <cstring>

using namespace boo;
using namespace boo::testing;

namespace {

/// Memory as the kernel ABI promises it: on a multiple of 64 bytes. The rest of
/// the last 64 holds a pattern, then comes the page.
class Memory {
public:
  Memory(int64_t bytes, GuardedBuffer::Guard guard)
      : Bytes(size_t(bytes)),
        Buffer(size_t(ceilDiv(bytes, int64_t(64)) * 64), guard) {
    std::memset(Buffer.data(), pattern, Buffer.size());
    forget();
  }
  void *data() const { return Bytes ? Buffer.data() : nullptr; }
  /// Every element is a NaN then.
  void forget() { std::memset(Buffer.data(), 0xFF, Bytes); }
  bool isIntact() const {
    const uint8_t *at = static_cast<const uint8_t *>(Buffer.data());
    return Buffer.slackIsIntact() &&
           std::all_of(at + Bytes, at + Buffer.size(),
                       [](uint8_t byte) { return byte == pattern; });
  }

private:
  static constexpr uint8_t pattern = 0xA5;
  size_t Bytes;
  GuardedBuffer Buffer;
};

} // namespace

std::string boo::testing::runGuarded(const Graph &graph,
                                     const std::string &path,
                                     const std::vector<const void *> &in,
                                     const std::vector<void *> &out,
                                     GuardedBuffer::Guard guard) {
  auto artifact = loadArtifact(path, "");
  if (!artifact.isOk())
    return artifact.status().toString();
  auto plan = makePlan(graph);
  if (!plan.isOk())
    return plan.status().toString();
  const std::vector<ValueId> &all = plan->graph.arguments();
  std::vector<const void *> ins;
  for (ValueId id : plan->groups.front().arguments)
    ins.push_back(
        in[size_t(std::find(all.begin(), all.end(), id) - all.begin())]);

  const Manifest &manifest = (*artifact)->manifest();
  Memory workspace(manifest.workspaceBytes, guard);
  Memory constants(manifest.constantsBytes, guard);
  Memory scratch(manifest.scratchBytes, guard);
  int64_t dims = 0;
  boo_args args{ins.data(), out.data(), &dims, constants.data(),
                workspace.data()};
  int32_t error = 0;
  auto call = [&](const Artifact::Kernel &kernel) {
    int64_t share = ceilDiv(kernel.grid, int64_t(7));
    for (int64_t end = kernel.grid; end > 0; end -= share) {
      scratch.forget();
      boo_tile tile{std::max<int64_t>(0, end - share), end, 0, scratch.data()};
      error = std::max(error, kernel.fn(&args, &tile));
    }
  };
  std::for_each((*artifact)->prepare().begin(), (*artifact)->prepare().end(),
                call);
  std::for_each((*artifact)->run().begin(), (*artifact)->run().end(), call);
  if (error != 0)
    return "a dispatch returned " + std::to_string(error);
  if (!workspace.isIntact())
    return "wrote outside of the workspace";
  if (!constants.isIntact())
    return "wrote outside of the packed constants";
  if (!scratch.isIntact())
    return "wrote outside of the scratch";
  return "";
}
