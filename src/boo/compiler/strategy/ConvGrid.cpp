//===- ConvGrid.cpp - In which order tiles of a product go ----------------===//

#include "boo/compiler/strategy/ConvGrid.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/ScheduleCost.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

namespace {

class ConvGrid {
public:
  ConvGrid(const ConvNest &nest, const Target &target, const NestBounds &bounds,
           const TileElements &elements, Decision &decision)
      : Nest(nest), P(nest.problem), W(nest.words), T(target), Bounds(bounds),
        Lanes(elements.lanes), ElementBytes(elements.bytes), Result(decision) {}

  void choose() {
    chooseTiles();
    choosePrefetch();
  }

private:
  void chooseTiles() {
    Schedule &s = Result.schedule;
    int64_t blockChannels = s.nVectors * (s.dot ? 1 : Lanes);
    int64_t blocks = ceilDiv(Nest.nExtent(), blockChannels);
    int64_t blockBytes =
        std::max<int64_t>(1, P.reduction() * blockChannels * ElementBytes);
    if (Nest.depthwise) {
      chooseChannels(blockChannels, blocks, blockBytes);
    } else {
      int64_t fit = std::max<int64_t>(1, T.l2Bytes * 5 / 8 / blockBytes);
      fit = std::max(
          fit, std::min(blocksForCopy(Nest, s), 4 * T.l2Bytes / blockBytes));
      // With more pixels the products take longer; rows of several taps would
      // be copied once more for each part.
      constexpr int64_t fewPixels = 256;
      bool owned = P.groups == 1 && Nest.taps() == 1 &&
                   Nest.pixels() <= fewPixels &&
                   isWorthOwning(blocks * blockBytes);
      if (owned)
        fit = std::min(fit, ceilDiv(blocks, std::min<int64_t>(T.cores, 4)));
      else if (passesRows(blocks * blockBytes))
        fit = blocks;
      int64_t chunks = ceilDiv(blocks, fit);
      s.nChunk = ceilDiv(blocks, chunks);
      s.filterOuter = chunks > 1;
      std::string all = std::to_string(blocks), some = std::to_string(s.nChunk);
      Result.why.push_back(
          s.filterOuter
              ? W.filter + (" outermost, " + some) + " of " + all +
                    " blocks at a time: " +
                    (owned ? "a thread reads those that it packed"
                           : "more exceed their share of the caches")
              : W.input + (" outermost: all " + all + " ") + W.filter +
                    " blocks fit their share of the caches");
      // Pixel by pixel a group's channels lie far apart: a large input is read
      // in order.
      int64_t filters = Nest.groupLoops() * blocks * blockBytes;
      int64_t input = P.batch * P.inChannels * P.in[0] * P.in[1] * P.in[2] *
                      dtypeBytes(P.dtype);
      if (!s.filterOuter && P.groups > 1 && 2 * filters >= input &&
          isWorthOwning(filters)) {
        s.filterOuter = true;
        Result.why.push_back("groups outermost: a thread reads the filters "
                             "that it packed");
      }
    }
    chooseRow(blockChannels);
    if (!Nest.depthwise && s.filterOuter && s.scratchInput)
      keepCopies(blocks, blocks * blockBytes);
    chooseRows(blocks);
    if (Bounds.vectorBits == 0)
      chooseSharing();
    if (packsInside(blocks, blockBytes) || Nest.depthwise || !Nest.matmul)
      return;
    if (s.kChunk != 0)
      keepSums(blocks, blockChannels);
    else if (s.filterOuter && !s.filterInPlace)
      keepRows(blocks);
    shareColumns(blocks);
  }

  /// Fetches what comes next while products are computed, where memory would
  /// idle otherwise.
  void choosePrefetch() {
    Schedule &s = Result.schedule;
    s.prefetchInput = Nest.depthwise ? outrunsColumns() : outrunsPixels();
    if (s.prefetchInput)
      Result.why.push_back(std::string(W.input) +
                           " of the next tile is prefetched while this one's "
                           "is multiplied");
  }

  /// An image and its result beyond a core's share of the L3 cache, read by
  /// columns of a few channels at a time: that is no order which the hardware
  /// foresees. Zen 3, nine of 8 MiB and more: 1.1 to 2.8 times as fast;
  /// smaller ones: up to a third slower.
  bool outrunsColumns() const {
    return !Result.schedule.scratchInput && Nest.taps() != 1 &&
           P.inStrides.channel == 1 && T.exceedsShareOfL3(P.bytes());
  }

  /// An image beyond the L2 cache whose tiles are read once, pixel by pixel.
  /// Zen 3, 128x256x256 to 64: 1.33 times as fast; images that the cache holds,
  /// or whose pixels are pages that share its sets: up to a tenth slower.
  bool outrunsPixels() const {
    const Schedule &s = Result.schedule;
    double image = double(P.batch * P.inChannels * dtypeBytes(P.dtype)) *
                   double(P.in[0] * P.in[1] * P.in[2]);
    int64_t pixelBytes =
        P.stride[2] * P.inStrides.spatial[2] * dtypeBytes(P.dtype);
    return Nest.taps() == 1 && !Nest.matmul && !s.scratchInput && !s.dot &&
           !s.packInside && s.kChunk == 0 && P.inStrides.channel == 1 &&
           pixelBytes % 4096 != 0 && image >= 4 * double(T.l2Bytes);
  }

  /// Rows whose copy fills much of the L2 cache are copied once: all of a
  /// filter that the L3 cache holds passes them, rather than they the filter's
  /// parts.
  void keepCopies(int64_t blocks, int64_t filterBytes) {
    Schedule &s = Result.schedule;
    int64_t columns = columnsOf(P.out[2]);
    int64_t bytes =
        P.filter[0] * P.filter[1] * columns * Nest.kChannels() * ElementBytes;
    int64_t grid = P.batch * P.out[0] * P.out[1] * P.groups;
    if (bytes < T.l2Bytes / 4 || bytes > T.l2Bytes / 2 ||
        filterBytes > 8 * T.l2Bytes || grid < 8 * T.cores)
      return;
    s.filterOuter = false;
    s.nChunk = blocks;
    s.wChunk = ceilDiv(P.out[2], s.mTile);
    Result.why.push_back(std::string(W.input) +
                         " outermost after all: its rows are copied once");
  }

  /// Rows of a convolution that are copied for several taps: neighbours share
  /// most of the copies, and a filter's block serves all of them. Zen 3,
  /// strided 3x3 ones of 128 to 512 channels: 1.05 to 1.13 times as fast.
  void chooseRows(int64_t blocks) {
    Schedule &s = Result.schedule;
    if (!s.scratchInput || Nest.depthwise || Nest.matmul || Bounds.fed ||
        P.filter[1] == 1 || s.kChunk != 0)
      return;
    int64_t pixels = std::min(s.wChunk * s.mTile, P.out[2]);
    int64_t columns = columnsOf(pixels);
    int64_t rowBytes = std::max<int64_t>(
        1, P.filter[0] * columns * Nest.kChannels() * ElementBytes);
    int64_t fit =
        (T.l2Bytes / 2 / rowBytes - P.filter[1]) / Nest.freshRows() + 1;
    int64_t pieces = ceilDiv(ceilDiv(P.out[2], s.mTile), s.wChunk);
    int64_t others = P.batch * P.out[0] * pieces * Nest.groupLoops() *
                     ceilDiv(blocks, s.nChunk);
    int64_t rows = P.out[1];
    constexpr int64_t few = 3, most = 8;
    fit = std::min({fit, most, rows * others / (4 * T.cores)});
    if (fit < few)
      return;
    s.hChunk = ceilDiv(rows, ceilDiv(rows, fit));
    Result.why.push_back(std::to_string(s.hChunk) +
                         " rows at a time share copies and filter");
  }

  /// Whether all of a packed filter of so many bytes had better pass each few
  /// rows, which the L1 cache holds, than some of it all rows: a core that
  /// loads nearly as often as it multiplies reads it from the L3 cache as fast
  /// as it needs it, and input and output once. Zen 3: 1.04 over 38 products
  /// and 1x1 convolutions, two threads 1.02; a filter of 9 MiB 0.95.
  bool passesRows(int64_t bytes) const {
    return Nest.taps() == 1 && registerFile(T.isa).count == 16 &&
           !Result.schedule.filterInPlace && 6 * bytes <= T.l3Bytes;
  }

  /// Whether threads had better read what they packed of filters of so many
  /// bytes: where each has rows for all of them, half or more come dirty from
  /// the caches of other cores, which can take longer than the products.
  bool isWorthOwning(int64_t bytes) const {
    return !Nest.matmul && !Bounds.packedAhead && Bounds.vectorBits == 0 &&
           !Result.schedule.filterInPlace && bytes > T.l2Bytes / 2;
  }

  /// Columns that so many pixels of a row read; those between taps are left
  /// out.
  int64_t columnsOf(int64_t pixels) const {
    return (pixels - 1) * P.stride[2] + P.filter[2];
  }

  /// What a grid tile reads of the input for all pixels of an image: them, or
  /// the rows that several taps meet.
  int64_t bytesRead() const {
    int64_t pixels = P.out[1] * P.out[2];
    if (Nest.taps() != 1)
      pixels = P.filter[0] * ((P.out[1] - 1) * Nest.freshRows() + P.filter[1]) *
               columnsOf(P.out[2]);
    return pixels * Nest.kChannels() * ElementBytes;
  }

  /// A filter that is used for pixels which stay in the cache is packed block
  /// by block, each for all of them: so it crosses memory once. One of several
  /// taps is worth that if it comes from memory, for few pixels: Zen 3, 512
  /// channels of 7x7, stride 1 and 2: 1.1 to 1.36 times as fast.
  bool packsInside(int64_t blocks, int64_t blockBytes) {
    Schedule &s = Result.schedule;
    if (P.groups != 1)
      return packsGroups(blocks, blockBytes);
    int64_t pixels = P.out[1] * P.out[2], few = 2 * T.cores;
    double read = double(bytesRead());
    double filter = double(blocks * blockBytes);
    constexpr int64_t fewPixels = 64;
    if (Nest.taps() != 1 &&
        (pixels > fewPixels || filter < 8 * double(T.l2Bytes)))
      return false;
    // A small filter stays in the L2 cache as it is packed ahead. In chunks of
    // blocks that copy them, the pixels are read more often.
    double least = s.scratchInput ? 2 * read : read;
    // A core that loads nearly as often as it multiplies reads a few pixels
    // from the L3 cache as fast as it needs them. Zen 3, 128 and 196 of them:
    // 1.0 to 1.15 times as fast; 512 and more: 0.93 to 1.0.
    constexpr int64_t pixelsFromL3 = 256;
    bool streams = registerFile(T.isa).count == 16 && pixels <= pixelsFromL3;
    double most = double(T.l2Bytes) * (s.scratchInput ? 2 : streams ? 4 : 1);
    // A filter of several taps has so few pixels that even a block which fills
    // the cache is read a few times only.
    int64_t mostBlock = Nest.taps() == 1 ? T.l2Bytes / 2 : T.l2Bytes;
    if (Bounds.packedAhead || Bounds.vectorBits != 0 || s.filterInPlace ||
        s.amx || Nest.depthwise || Nest.pixels() != pixels || blocks < few ||
        blockBytes > mostBlock || read > most ||
        filter < std::max(least, double(T.l2Bytes) / 2))
      return false;
    s.packInside = s.filterOuter = true;
    s.kChunk = 0;
    s.wChunk = ceilDiv(P.out[2], s.mTile);
    s.hChunk = P.out[1];
    s.nChunk = s.scratchInput ? blocks / few : 1;
    Result.why.push_back(std::string(W.filter) +
                         " packed block by block, each for all " + W.pixels);
    return true;
  }

  /// Groups of few pixels, each a grid tile: what that packs is used at once,
  /// and by no other. Zen 3, ResNeXt's of 7x7 and 14x14: 1.03 to 1.06 times as
  /// fast, two threads 1.08 to 1.14.
  bool packsGroups(int64_t blocks, int64_t blockBytes) {
    Schedule &s = Result.schedule;
    constexpr int64_t fewPixels = 256;
    if (Nest.depthwise || !s.filterOuter || s.amx || s.nChunk < blocks ||
        Nest.pixels() > fewPixels || P.batch * P.out[0] != 1 ||
        Nest.groupLoops() < 4 * T.cores ||
        !isWorthOwning(Nest.groupLoops() * blocks * blockBytes))
      return false;
    s.packInside = true;
    s.wChunk = ceilDiv(P.out[2], s.mTile);
    s.hChunk = P.out[1];
    Result.why.push_back(std::string(W.filter) +
                         " packed group by group, each for all " + W.pixels);
    return true;
  }

  /// Grid tiles of a reduction in chunks: what a chunk reads of input and
  /// filter, and the sums that wait for the next one, stay in the cache.
  void keepSums(int64_t blocks, int64_t blockChannels) {
    Schedule &s = Result.schedule;
    int64_t tiles = ceilDiv(P.out[2], s.mTile);
    int64_t rowBytes = s.mTile * ElementBytes;
    auto fits = [](int64_t bytes, int64_t each, int64_t most) {
      int64_t chunks =
          ceilDiv(most, std::clamp<int64_t>(bytes / each, 1, most));
      return ceilDiv(most, chunks);
    };
    if (Nest.pixels() <= streamPixels) {
      s.wChunk = 1;
      s.nChunk = fits(T.l1Bytes / 2, rowBytes * blockChannels, blocks);
      return;
    }
    s.wChunk = fits(T.l2Bytes / 4, rowBytes * s.kChunk, tiles);
    s.nChunk = fits(T.l2Bytes / 8, s.wChunk * rowBytes * blockChannels, blocks);
    s.nChunk = std::min(s.nChunk,
                        fits(T.l2Bytes * 3 / 8,
                             s.kChunk * blockChannels * ElementBytes, blocks));
    s.filterOuter = true;
    // Enough grid tiles for the threads of a large machine.
    int64_t rows = P.batch * P.out[0] * P.out[1] * P.groups;
    auto isFew = [&] {
      return rows * ceilDiv(tiles, s.wChunk) * ceilDiv(blocks, s.nChunk) <
             4 * T.cores;
    };
    while (s.nChunk > 4 && isFew())
      s.nChunk = ceilDiv(s.nChunk, 2);
    while (s.wChunk > 2 && isFew())
      s.wChunk = ceilDiv(s.wChunk, 2);
    Result.why.push_back("reduction in chunks of " + std::to_string(s.kChunk) +
                         ": what they read and their sums stay in the L2 "
                         "cache");
  }

  /// A few tiles' rows in the L2 cache, by all blocks: the rows are read, and
  /// copied if need be, once, and each block is read once for all these tiles.
  void keepRows(int64_t blocks) {
    Schedule &s = Result.schedule;
    int64_t tileBytes = s.mTile * Nest.kChannels() * ElementBytes;
    int64_t tiles = ceilDiv(P.out[2], s.mTile);
    // Fewer would ask more of the memory that the blocks come from.
    constexpr int64_t few = 6;
    int64_t fit = std::max(T.l2Bytes * 3 / 8 / tileBytes, few);
    fit = std::min(fit, tiles);
    // Rows that are not copied may pass by themselves, if more than a block or
    // two stay.
    if (!s.scratchInput && (fit == 1 || s.nChunk > 2))
      return;
    int64_t rows = P.batch * P.out[0] * P.out[1] * P.groups;
    // Enough grid tiles for the threads of a large machine.
    while (fit > 4 && rows * ceilDiv(tiles, fit) < 2 * T.cores)
      fit = ceilDiv(fit, 2);
    s.wChunk = ceilDiv(tiles, ceilDiv(tiles, fit));
    s.nChunk = blocks;
    s.filterOuter = false;
    Result.why.push_back(std::string(W.input) + " outermost after all, " +
                         std::to_string(s.wChunk) + " of " +
                         std::to_string(tiles) +
                         " tiles at a time: they stay in the L2 cache while "
                         "all blocks pass");
  }

  /// Channel blocks of a depthwise convolution. All that the filter leaves room
  /// for in the L1 cache pass over a few pixels at a time, so that memory is
  /// read and written in order; of rows that are copied, as many as fit there.
  void chooseChannels(int64_t blockChannels, int64_t blocks,
                      int64_t blockBytes) {
    int64_t columns = columnsOf(P.out[2]);
    int64_t rowBytes =
        P.filter[0] * P.filter[1] * columns * blockChannels * ElementBytes;
    int64_t fit = Result.schedule.scratchInput
                      ? T.l1Bytes / std::max<int64_t>(1, rowBytes)
                      : T.l1Bytes / 4 / blockBytes;
    int64_t chunks = ceilDiv(blocks, std::clamp<int64_t>(fit, 1, blocks));
    Result.schedule.nChunk = ceilDiv(blocks, chunks);
  }

  /// Few rows are shared by columns.
  void shareColumns(int64_t blocks) {
    Schedule &s = Result.schedule;
    int64_t pieces = ceilDiv(ceilDiv(P.out[2], s.mTile), s.wChunk);
    int64_t rows = P.batch * P.out[0] * P.out[1] * P.groups * pieces;
    int64_t wanted = ceilDiv(4 * T.cores, rows);
    if (ceilDiv(blocks, s.nChunk) < wanted)
      s.nChunk = std::max<int64_t>(1, blocks / wanted);
  }

  /// To wake a second thread and wait for it takes about as long as this.
  void chooseSharing() {
    Result.schedule.serial = P.flops() < 5e5;
    if (Result.schedule.serial)
      Result.why.push_back("one thread: " + std::to_string(int64_t(P.flops())) +
                           " operations are not worth waking another");
  }

  void chooseRow(int64_t blockChannels) {
    Schedule &s = Result.schedule;
    int64_t tiles = ceilDiv(P.out[2], s.mTile);
    int64_t channels =
        Nest.depthwise ? s.nChunk * blockChannels : Nest.kChannels();
    int64_t tileBytes = s.mTile * P.stride[2] * channels * ElementBytes;
    int64_t taps = P.filter[0] * P.filter[1];
    // Rows shared by several taps are worth keeping whole in the L2 cache; a
    // lone row only has to stay in the L1 cache while the blocks go by.
    bool lone = taps * P.filter[2] == 1;
    int64_t budget = lone ? T.l1Bytes / 2 : T.l2Bytes / 4 / taps;
    s.wChunk =
        std::clamp<int64_t>(budget / std::max<int64_t>(1, tileBytes), 1, tiles);
    // Enough grid tiles for the threads of a large machine to share: more, and
    // so evener ones, where a few long rows are cut anyway.
    int64_t rows = P.batch * P.out[0] * P.out[1] * Nest.groupLoops();
    int64_t enough = (rows < 4 * T.cores ? 8 : 4) * T.cores;
    while (s.wChunk > 1 && rows * ceilDiv(tiles, s.wChunk) < enough)
      s.wChunk = ceilDiv(s.wChunk, 2);
    s.wChunk = ceilDiv(tiles, ceilDiv(tiles, s.wChunk));
  }

  const ConvNest &Nest;
  const ConvProblem &P;
  const NestWords &W;
  const Target &T;
  const NestBounds &Bounds;
  int64_t Lanes, ElementBytes;
  Decision &Result;
};

} // namespace

void boo::compiler::chooseConvGrid(const ConvNest &nest, const Target &target,
                                   const NestBounds &bounds,
                                   const TileElements &elements,
                                   Decision &decision) {
  ConvGrid(nest, target, bounds, elements, decision).choose();
}
