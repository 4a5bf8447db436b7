//===- EmitPad.cpp - Kernels of tensors with a border ---------------------===//
//
// A grid tile is a box of the output. Along each axis in turn, what lies before
// the input and what lies behind it is cut off and filled; the rest is copied.
// So each element is written once, by linalg.generic ops on views.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/import/ElementGrid.h"
#include "boo/compiler/import/ElementView.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/graph/Attributes.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

namespace {

class PadEmitter {
public:
  PadEmitter(MLIRContext &context, const Graph &group, int64_t tileElements)
      : Pad(group.nodes().front()), Axes(makeElementGrid(group, tileElements)),
        Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module),
        Element(K.type(group.value(Pad.results[0]).type.dtype)) {}

  KernelModule emit() {
    int64_t tiles = 1;
    for (const ElementAxis &axis : Axes)
      tiles *= axis.pieces();
    // Of no elements nothing calls the dispatch.
    K.dispatch(0, [&](Value tile) {
      if (tiles != 0)
        emitTile(tile);
    });
    KernelModule kernel;
    kernel.run.push_back({"boo_dispatch_0", "pad", tiles});
    kernel.module = std::move(Module);
    return kernel;
  }

private:
  /// Steps along an axis of the output, the last one excluded.
  struct Range {
    Value begin, end;
  };
  using Box = std::vector<Range>;

  Box locate(Value tile) {
    std::vector<int64_t> pieces;
    for (const ElementAxis &axis : Axes)
      pieces.push_back(axis.pieces());
    std::vector<Value> at = K.delinearize(tile, pieces);
    Box box;
    for (size_t i = 0; i != Axes.size(); ++i) {
      const ElementAxis &axis = Axes[i];
      Value begin = K.mul(at[i], axis.piece);
      Value end = axis.pieces() == 1
                      ? K.index(axis.size)
                      : K.min(K.add(begin, axis.piece), K.index(axis.size));
      box.push_back({begin, end});
    }
    return box;
  }

  void emitTile(Value tile) {
    Value filler = arith::ConstantOp::create(
        K.builder(), K.loc(),
        K.builder().getFloatAttr(Element, attribute<double>(Pad, "value")));
    Box box = locate(tile);
    for (size_t i = 0; i != Axes.size(); ++i) {
      const ElementAxis &axis = Axes[i];
      Range whole = box[i], inside = whole;
      if (axis.lo > 0) {
        inside.begin = K.min(K.max(whole.begin, K.index(axis.lo)), whole.end);
        box[i] = {whole.begin, inside.begin};
        fill(filler, box);
      }
      if (axis.hi > 0) {
        inside.end =
            K.max(K.min(whole.end, K.index(axis.size - axis.hi)), inside.begin);
        box[i] = {inside.end, whole.end};
        fill(filler, box);
      }
      box[i] = inside;
    }
    copy(box, 0);
  }

  void fill(Value filler, const Box &box) {
    emitGeneric(K, {}, view(ArgField::Out, box),
                [&](ValueRange) { return filler; });
  }

  /// Where nothing of a tile is copied, nothing may be read: from axis `axis`
  /// on it is still to be asked.
  void copy(const Box &box, size_t axis) {
    while (axis != Axes.size() && (Axes[axis].pieces() == 1 ||
                                   (Axes[axis].lo <= 0 && Axes[axis].hi <= 0)))
      ++axis;
    if (axis != Axes.size()) {
      Value some =
          arith::CmpIOp::create(K.builder(), K.loc(), arith::CmpIPredicate::slt,
                                box[axis].begin, box[axis].end);
      return K.ifThen(some, [&] { copy(box, axis + 1); });
    }
    emitGeneric(K, {view(ArgField::In, box)}, view(ArgField::Out, box),
                [](ValueRange elements) { return elements[0]; });
  }

  ElementView view(ArgField field, const Box &box) {
    Value offset = K.index(0);
    SmallVector<ViewDim> dims;
    for (size_t i = 0; i != Axes.size(); ++i) {
      bool reads = field == ArgField::In;
      int64_t stride = reads ? Axes[i].in[0] : Axes[i].out;
      Value begin = box[i].begin;
      if (reads)
        begin = K.sub(begin, K.index(Axes[i].lo));
      offset = K.add(offset, K.mul(begin, stride));
      dims.push_back({stride,
                      getAsOpFoldResult(K.sub(box[i].end, box[i].begin)),
                      unsigned(i)});
    }
    return makeElementView(K, K.buffer(field, 0, Element), offset, dims,
                           Axes.size());
  }

  const Node &Pad;
  std::vector<ElementAxis> Axes;
  OwningOpRef<ModuleOp> Module;
  KernelBuilder K;
  Type Element;
};

} // namespace

StatusOr<KernelModule> emitPad(MLIRContext &context, const Graph &group,
                               const Schedule &schedule) {
  DType dtype = group.value(group.nodes().front().results[0]).type.dtype;
  int64_t tileElements =
      schedule.wChunk * schedule.vectorBits / (8 * dtypeBytes(dtype));
  return PadEmitter(context, group, tileElements).emit();
}

} // namespace boo::compiler
