//===- WinogradEmitter.cpp - Dispatches and products of Winograd tiles ----===//

#include "boo/compiler/kernels/WinogradEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/kernels/FilterPack.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

/// Elements between arrays that are walked through side by side: frequencies a
/// multiple of 4096 bytes apart would share one set of the L1 cache.
static constexpr int64_t slack = 16;

WinogradEmitter::WinogradEmitter(MLIRContext &context, const Graph &group,
                                 ConvNest nest, const Schedule &schedule,
                                 const EmitOptions &options)
    : Group(group), S(schedule), Nest(std::move(nest)), P(Nest.problem),
      T(winogradTransform(winogradTile(algorithmName(schedule.algorithm)))),
      Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module),
      F32(K.type(DType::F32)), Lanes(S.vectorBits / 32),
      BlockChannels(S.nVectors * Lanes), Vector(VectorType::get({Lanes}, F32)),
      TilesH(ceilDiv(P.out[1], T.tile)), TilesW(ceilDiv(P.out[2], T.tile)),
      Tiles(winogradTiles(P, T.tile)), Terms(winogradTerms(P)),
      FilterField(options.constantsPacked &&
                          group.value(Nest.filter).role == Role::Constant
                      ? ArgField::Constants
                      : ArgField::Workspace) {}

int64_t WinogradEmitter::argument(ValueId id) const {
  const std::vector<ValueId> &all = Group.arguments();
  return std::find(all.begin(), all.end(), id) - all.begin();
}
std::optional<int64_t> WinogradEmitter::serialTiles(int64_t tiles) const {
  return S.serial ? std::optional(tiles) : std::nullopt;
}
int64_t WinogradEmitter::blocks() const {
  return ceilDiv(P.outPerGroup(), BlockChannels);
}
int64_t WinogradEmitter::filterVectors() const {
  return ceilDiv(P.outPerGroup(), Lanes);
}
int64_t WinogradEmitter::rounds() const { return ceilDiv(Tiles, S.mTile); }
int64_t WinogradEmitter::inputPitch() const {
  // The last tap in depth ends with a whole vector.
  int64_t last = Terms - P.inPerGroup();
  int64_t pitch =
      ceilDiv(last, Lanes) * Lanes + ceilDiv(P.inPerGroup(), Lanes) * Lanes;
  return pitch % 256 == 0 ? pitch + slack : pitch;
}
int64_t WinogradEmitter::inputFrequency() const {
  return stripTiles() * inputPitch() + slack;
}
int64_t WinogradEmitter::outputFrequency() const {
  return stripTiles() * BlockChannels + slack;
}
int64_t WinogradEmitter::filterFrequency() const {
  return Terms * BlockChannels + slack;
}
int64_t WinogradEmitter::filterElements() const {
  return P.groups * blocks() * T.products() * filterFrequency();
}
int64_t WinogradEmitter::copyPitch() const {
  return P.inChannels % 1024 == 0 ? P.inChannels + slack : P.inChannels;
}
int64_t WinogradEmitter::copyRows() const { return TilesH * T.tile + 2; }
int64_t WinogradEmitter::copyColumns() const { return TilesW * T.tile + 2; }
int64_t WinogradEmitter::copyElements() const {
  return P.batch * P.in[0] * copyRows() * copyColumns() * copyPitch();
}
int64_t WinogradEmitter::productsAt() const {
  return T.products() * inputFrequency();
}
int64_t WinogradEmitter::temporariesAt() const {
  return productsAt() + T.products() * outputFrequency();
}
int64_t WinogradEmitter::gatheredAt() const {
  return temporariesAt() + T.products() * Lanes;
}
int64_t WinogradEmitter::scratchElements() const {
  // An operand may be of f64. The filter's dispatch keeps one vector's taps in
  // scratch.
  return std::max(gatheredAt() + 2 * T.tile * Lanes, 9 * Terms * Lanes);
}

Status WinogradEmitter::checkSizes() const {
  // In doubles: a Schedule may ask for any number.
  double most = double(int64_t(1) << 40);
  double strip = double(S.wChunk) * double(S.mTile);
  double scratch = 36 * strip * double(Terms + 32 + BlockChannels);
  double filter = 36.0 * double(P.groups) * double(blocks()) *
                  double(Terms + 1) * double(BlockChannels);
  double copy = double(P.batch) * double(P.in[0]) * double(copyRows()) *
                double(copyColumns()) * double(P.inChannels + slack);
  if (scratch > most || filter > most || copy > most)
    return unsupported("a convolution that needs more than 4 TiB of scratch or "
                       "workspace");
  return Status::ok();
}

KernelModule WinogradEmitter::emit() {
  KernelModule kernel;
  auto grid = [&](int64_t tiles) { return S.serial ? 1 : tiles; };
  auto symbol = [](int64_t dispatch) {
    return "boo_dispatch_" + std::to_string(dispatch);
  };
  int64_t next = 0;
  bool ahead = FilterField == ArgField::Constants;
  emitFilter(next);
  (ahead ? kernel.constantsBytes : kernel.workspaceBytes) =
      4 * filterElements();
  (ahead ? kernel.prepare : kernel.run)
      .push_back(
          {symbol(next), "transform_filter", grid(P.groups * filterVectors())});
  ++next;
  if (S.scratchInput) {
    emitCopy(next);
    kernel.workspaceBytes =
        ceilDiv(kernel.workspaceBytes, 64) * 64 + 4 * copyElements();
    kernel.run.push_back(
        {symbol(next), "copy_input", grid(P.batch * P.in[0] * copyRows())});
    ++next;
  }
  emitMain(next);
  int64_t tiles = 1;
  for (int64_t size : gridSizes())
    tiles *= size;
  kernel.run.push_back({symbol(next), "winograd", grid(tiles)});
  kernel.scratchBytes = 4 * scratchElements();
  kernel.module = std::move(Module);
  return kernel;
}

std::vector<int64_t> WinogradEmitter::gridSizes() const {
  int64_t strips = ceilDiv(rounds(), S.wChunk);
  int64_t chunks = ceilDiv(blocks(), S.nChunk);
  if (S.filterOuter)
    return {P.groups, chunks, strips};
  return {strips, P.groups, chunks};
}

WinogradEmitter::Strip WinogradEmitter::strip(Value gridTile) {
  std::vector<Value> c = K.delinearize(gridTile, gridSizes());
  if (!S.filterOuter)
    c = {c[1], c[2], c[0]};
  Strip strip;
  strip.group = c[0];
  strip.firstBlock = K.mul(c[1], S.nChunk);
  strip.blocks =
      K.min(K.index(S.nChunk), K.sub(K.index(blocks()), strip.firstBlock));
  strip.firstRound = K.mul(c[2], S.wChunk);
  strip.rounds =
      K.min(K.index(S.wChunk), K.sub(K.index(rounds()), strip.firstRound));
  strip.firstTile = K.mul(c[2], stripTiles());
  strip.tiles =
      K.min(K.index(stripTiles()), K.sub(K.index(Tiles), strip.firstTile));
  return strip;
}

WinogradEmitter::TilePlace WinogradEmitter::place(Value tile) {
  std::vector<Value> c =
      K.delinearize(tile, {P.batch, P.out[0], TilesH, TilesW});
  return {c[0], c[1], K.mul(c[2], T.tile), K.mul(c[3], T.tile), c[3]};
}

void WinogradEmitter::emitMain(int64_t dispatch) {
  int64_t grid = 1;
  for (int64_t size : gridSizes())
    grid *= size;
  K.dispatch(
      dispatch,
      [&](Value tile) {
        Strip at = strip(tile);
        transformInput(at);
        int64_t nRest = P.outPerGroup() - (blocks() - 1) * BlockChannels;
        K.loop(K.index(0), at.blocks, 1, [&](Value i) {
          Value block = K.add(at.firstBlock, i);
          auto withN = [&](int64_t n) {
            multiply(at, block, n);
            transformOutput(at, block, n);
          };
          if (blocks() == 1 || nRest == BlockChannels)
            return withN(nRest);
          K.ifThen(
              K.equal(block, blocks() - 1), [&] { withN(nRest); },
              [&] { withN(BlockChannels); });
        });
      },
      serialTiles(grid));
}

void WinogradEmitter::multiply(const Strip &strip, Value block, int64_t n) {
  Value filter = K.mul(K.add(K.mul(strip.group, blocks()), block),
                       T.products() * filterFrequency());
  int64_t mRest = Tiles - (rounds() - 1) * S.mTile;
  K.loop(K.index(0), K.index(T.products()), 1, [&](Value f) {
    Value a = K.mul(f, inputFrequency());
    Value b = K.add(filter, K.mul(f, filterFrequency()));
    Value c = K.mul(f, outputFrequency());
    K.loop(K.index(0), strip.rounds, 1, [&](Value round) {
      Value aRound = K.add(a, K.mul(round, S.mTile * inputPitch()));
      Value cRound = K.add(c, K.mul(round, S.mTile * BlockChannels));
      auto withM = [&](int64_t m) { emitProduct(aRound, b, cRound, m, n); };
      if (rounds() == 1 || mRest == S.mTile)
        return withM(mRest);
      K.ifThen(
          K.equal(K.add(strip.firstRound, round), rounds() - 1),
          [&] { withM(mRest); }, [&] { withM(S.mTile); });
    });
  });
}

void WinogradEmitter::emitProduct(Value a, Value b, Value c, int64_t m,
                                  int64_t n) {
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), scratch(0), a, K.buffer(FilterField, 0, F32), b,
      scratch(productsAt()), c, ValueRange{}, ValueRange{}, ValueRange{},
      /*staging=*/Value(), /*init=*/Value(), /*init_offset=*/Value(),
      /*next=*/Value(), uint64_t(m), uint64_t(ceilDiv(n, Lanes) * Lanes),
      uint64_t(Terms), ArrayRef<int64_t>{inputPitch(), 0, 1},
      ArrayRef<int64_t>{1, BlockChannels}, ArrayRef<int64_t>{BlockChannels, 1},
      ArrayRef<int64_t>{}, /*exact_b=*/false, /*dot=*/false,
      uint64_t(S.kUnroll), uint64_t(S.prefetch), /*init_stride=*/uint64_t(0));
  OpBuilder::InsertionGuard guard(K.builder());
  mlir::Block *body = K.builder().createBlock(&op.getBody());
  YieldOp::create(K.builder(), K.loc(), body->addArgument(F32, K.loc()));
}

void WinogradEmitter::emitFilter(int64_t dispatch) {
  int64_t channels = P.inPerGroup(), vectors = filterVectors();
  int64_t outer = P.filterStrides.outer;
  auto transformTaps = [&](Value taps, Value target) {
    K.loop(K.index(0), K.index(channels), 1, [&](Value c) {
      std::vector<std::vector<Value>> half;
      for (int64_t column = 0; column != 3; ++column) {
        std::vector<Value> taps3;
        for (int64_t row = 0; row != 3; ++row)
          taps3.push_back(loadVector(
              scratch(0), K.add(K.add(taps, K.mul(c, Lanes)),
                                (row * 3 + column) * channels * Lanes)));
        half.push_back(apply(T.filter, taps3));
      }
      Value to = K.add(target, K.mul(c, BlockChannels));
      for (int64_t i = 0; i != T.size; ++i) {
        size_t row = size_t(i);
        std::vector<Value> products =
            apply(T.filter, {half[0][row], half[1][row], half[2][row]});
        for (int64_t j = 0; j != T.size; ++j)
          storeVector(products[size_t(j)], K.buffer(FilterField, 0, F32),
                      K.add(to, (i * T.size + j) * filterFrequency()));
      }
    });
  };
  auto transform = [&](Value target) {
    K.loop(K.index(0), K.index(P.filter[0]), 1, [&](Value tap) {
      transformTaps(K.mul(tap, 9 * channels * Lanes),
                    K.add(target, K.mul(tap, channels * BlockChannels)));
    });
  };
  K.dispatch(
      dispatch,
      [&](Value tile) {
        std::vector<Value> c = K.delinearize(tile, {P.groups, vectors});
        std::vector<Value> v =
            K.delinearize(c[1], {ceilDiv(vectors, S.nVectors), S.nVectors});
        FilterPack pack(
            K, Nest, 1, Lanes, Lanes,
            K.buffer(ArgField::In, argument(Nest.filter), K.type(P.dtype)),
            scratch(0));
        Value from = K.add(K.mul(c[0], P.filterStrides.group.front()),
                           K.mul(c[1], Lanes * outer));
        from = K.add(from, P.filterStrides.base);
        Value steps = K.index(9 * Terms);
        if (P.outPerGroup() % Lanes == 0)
          pack.pack(from, K.index(0), K.index(0), steps, false);
        else
          K.ifThen(
              K.equal(c[1], vectors - 1),
              [&] { pack.pack(from, K.index(0), K.index(0), steps, true); },
              [&] { pack.pack(from, K.index(0), K.index(0), steps, false); });
        Value block = K.add(K.mul(c[0], blocks()), v[0]);
        transform(K.add(K.mul(block, T.products() * filterFrequency()),
                        K.mul(v[1], Lanes)));
      },
      serialTiles(P.groups * vectors));
}

Value WinogradEmitter::scratch(int64_t elements) {
  return K.buffer(ArgField::Scratch, 4 * elements, F32);
}
Value WinogradEmitter::copyBuffer() {
  bool behindFilter = FilterField == ArgField::Workspace;
  return K.buffer(ArgField::Workspace,
                  behindFilter ? ceilDiv(4 * filterElements(), 64) * 64 : 0,
                  F32);
}
Value WinogradEmitter::loadVector(Value buffer, Value at) {
  return vector::LoadOp::create(K.builder(), K.loc(), Vector, buffer, at);
}
void WinogradEmitter::storeVector(Value value, Value buffer, Value at) {
  vector::StoreOp::create(K.builder(), K.loc(), value, buffer, at);
}

StatusOr<KernelModule> emitWinograd(MLIRContext &context, const Graph &group,
                                    const Schedule &schedule,
                                    const EmitOptions &options) {
  bool gaps = false;
  ConvNest nest = group.nodes().front().op == Op::ConvGradInput
                      ? makeGradInputNests(group, &gaps).front()
                      : makeConvNest(group);
  WinogradEmitter emitter(context, group, std::move(nest), schedule, options);
  BOO_RETURN_IF_ERROR(emitter.checkSizes());
  return emitter.emit();
}

} // namespace boo::compiler
