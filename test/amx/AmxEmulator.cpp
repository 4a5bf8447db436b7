//===- AmxEmulator.cpp - AMX instructions on a CPU without them -----------===//
//
// Encodings and semantics: Intel 64 and IA-32 Architectures Software
// Developer's Manual, volume 2, chapters on LDTILECFG, STTILECFG, TILERELEASE,
// TILEZERO, TILELOADD, TILESTORED and TDPBF16PS. All are three-byte VEX in map
// 0F38 with W0 and L0.
//
//===----------------------------------------------------------------------===//

#include "AmxEmulator.h"

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>

using namespace boo::testing;

namespace {

struct TileConfig {
  uint8_t palette = 0, startRow = 0, reserved[14] = {};
  uint16_t columnBytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

TileConfig Config;
uint8_t Tiles[8][16][64];
AmxCounts Counts;

/// The fields of one VEX instruction that AMX uses.
struct Instruction {
  uint8_t opcode, prefix, modrm, vvvv;
  bool r, x, b;
  const uint8_t *rest; ///< behind the ModRM byte

  int mod() const { return modrm >> 6; }
  int reg() const { return ((modrm >> 3) & 7) | (r ? 8 : 0); }
  int rm() const { return (modrm & 7) | (b ? 8 : 0); }
};

uint64_t registerValue(const ucontext_t *context, int number) {
  static constexpr int order[] = {
      REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return uint64_t(context->uc_mcontext.gregs[order[number]]);
}

/// A memory operand: its base address without the index, the scaled index (a
/// tile's row stride), and the byte behind the instruction.
struct Address {
  uint64_t base, stride;
  const uint8_t *end;
};

Address decodeAddress(const ucontext_t *context, const Instruction &in) {
  const uint8_t *p = in.rest;
  uint64_t base = 0, index = 0;
  bool ripRelative = false, longOffset = in.mod() == 2;
  if ((in.modrm & 7) == 4) {
    uint8_t sib = *p++;
    int baseNumber = (sib & 7) | (in.b ? 8 : 0);
    int indexNumber = ((sib >> 3) & 7) | (in.x ? 8 : 0);
    if ((sib & 7) == 5 && in.mod() == 0)
      longOffset = true;
    else
      base = registerValue(context, baseNumber);
    if (indexNumber != 4)
      index = registerValue(context, indexNumber) << (sib >> 6);
  } else if ((in.modrm & 7) == 5 && in.mod() == 0) {
    longOffset = ripRelative = true;
  } else {
    base = registerValue(context, in.rm());
  }
  int64_t offset = 0;
  if (longOffset) {
    int32_t value;
    std::memcpy(&value, p, 4);
    offset = value;
    p += 4;
  } else if (in.mod() == 1) {
    offset = int8_t(*p++);
  }
  if (ripRelative)
    base = uint64_t(p);
  return {base + uint64_t(offset), index, p};
}

float widen(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  // The instruction takes denormals as zeros.
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

float flush(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

/// C += A * B, with pairs of bf16 along A's columns and B's rows.
void product(int c, int a, int b) {
  ++Counts.products;
  for (int m = 0; m != Config.rows[c]; ++m)
    for (int k = 0; k != Config.columnBytes[a] / 4; ++k)
      for (int n = 0; n != Config.columnBytes[c] / 4; ++n) {
        uint16_t left[2], right[2];
        float sum;
        std::memcpy(left, &Tiles[a][m][4 * k], 4);
        std::memcpy(right, &Tiles[b][k][4 * n], 4);
        std::memcpy(&sum, &Tiles[c][m][4 * n], 4);
        sum = flush(std::fma(widen(left[0]), widen(right[0]), flush(sum)));
        sum = flush(std::fma(widen(left[1]), widen(right[1]), sum));
        std::memcpy(&Tiles[c][m][4 * n], &sum, 4);
      }
}

void moveTile(int tile, const Address &at, bool store) {
  ++(store ? Counts.stores : Counts.loads);
  if (!store)
    std::memset(Tiles[tile], 0, sizeof(Tiles[tile]));
  for (int row = 0; row != Config.rows[tile]; ++row) {
    auto *memory = reinterpret_cast<uint8_t *>(at.base + row * at.stride);
    if (store)
      std::memcpy(memory, Tiles[tile][row], Config.columnBytes[tile]);
    else
      std::memcpy(Tiles[tile][row], memory, Config.columnBytes[tile]);
  }
}

/// The byte behind the instruction, or null when it is none of ours.
const uint8_t *emulate(const ucontext_t *context, const Instruction &in) {
  enum { None, P66, PF3, PF2 };
  bool memory = in.mod() != 3;
  if (in.opcode == 0x49 && in.prefix == None && !memory && in.modrm == 0xC0) {
    Config = {};
    ++Counts.releases;
    return in.rest;
  }
  if (in.opcode == 0x49 && in.prefix == None && memory) {
    Address at = decodeAddress(context, in);
    std::memcpy(&Config, reinterpret_cast<void *>(at.base + at.stride), 64);
    std::memset(Tiles, 0, sizeof(Tiles));
    ++Counts.configs;
    return at.end;
  }
  if (in.opcode == 0x49 && in.prefix == P66 && memory) {
    Address at = decodeAddress(context, in);
    std::memcpy(reinterpret_cast<void *>(at.base + at.stride), &Config, 64);
    return at.end;
  }
  if (Config.palette != 1)
    return nullptr;
  if (in.opcode == 0x49 && in.prefix == PF2 && !memory) {
    std::memset(Tiles[in.reg() & 7], 0, sizeof(Tiles[0]));
    ++Counts.zeros;
    return in.rest;
  }
  if (in.opcode == 0x4B && in.prefix != None && memory) {
    Address at = decodeAddress(context, in);
    moveTile(in.reg() & 7, at, in.prefix == PF3);
    return at.end;
  }
  if (in.opcode == 0x5C && in.prefix == PF3 && !memory) {
    product(in.reg() & 7, in.rm() & 7, in.vvvv & 7);
    return in.rest;
  }
  return nullptr;
}

void onIllegalInstruction(int signal, siginfo_t *, void *data) {
  auto *context = static_cast<ucontext_t *>(data);
  auto *code =
      reinterpret_cast<const uint8_t *>(context->uc_mcontext.gregs[REG_RIP]);
  // C4 [R X B mmmmm] [W vvvv L pp] opcode modrm; R, X, B and vvvv inverted.
  bool ours = code[0] == 0xC4 && (code[1] & 0x1F) == 2 && !(code[2] & 0x84);
  const uint8_t *next = nullptr;
  if (ours) {
    Instruction in{code[3],           uint8_t(code[2] & 3),
                   code[4],           uint8_t((~code[2] >> 3) & 15),
                   !(code[1] & 0x80), !(code[1] & 0x40),
                   !(code[1] & 0x20), code + 5};
    next = emulate(context, in);
  }
  if (next) {
    context->uc_mcontext.gregs[REG_RIP] = greg_t(next);
    return;
  }
  std::signal(signal, SIG_DFL);
}

} // namespace

void boo::testing::installAmxEmulator() {
  struct sigaction action = {};
  action.sa_sigaction = onIllegalInstruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
}

const AmxCounts &boo::testing::amxCounts() { return Counts; }
