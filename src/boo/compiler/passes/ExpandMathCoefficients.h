//===- ExpandMathCoefficients.h - Written by fit/fit_math.py *- C++ -*-===//
//
// Do not edit: change the script and run it. What each polynomial fits, and how
// it was found, stands there.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "llvm/ADT/ArrayRef.h"

namespace boo::compiler {

/// Constants of one type that expansions compute in; polynomials with the
/// lowest power first.
struct ExpandMathCoefficients {
  llvm::ArrayRef<double> exp, log, erf;
  double erfLimit, ln2High, ln2Low;
};

inline constexpr double F32Exp[] = {
    0x1.0000000000000p-1,  // 0.5
    0x1.5555540000000p-3,  // 0.16666666
    0x1.5554b20000000p-5,  // 0.041666362
    0x1.11118a0000000p-7,  // 0.0083333896
    0x1.6d71f80000000p-10, // 0.0013940628
    0x1.a032ea0000000p-13, // 0.00019845909
};
inline constexpr double F32Log[] = {
    0x1.55557a0000000p-1, // 0.66666776
    0x1.995eba0000000p-2, // 0.39977542
    0x1.31e2e40000000p-2, // 0.29871708
};
inline constexpr double F32Erf[] = {
    0x1.06eba80000000p-3,   // 0.12837917
    0x1.45f2fa0000000p-1,   // 0.63661939
    0x1.a4fa5e0000000p-4,   // 0.10277783
    -0x1.39cdcc0000000p-6,  // -0.01915307
    -0x1.50585e0000000p-13, // -0.00016038188
    0x1.b4ff180000000p-10,  // 0.0016670092
    -0x1.4bc8580000000p-11, // -0.00063282507
    0x1.ed68600000000p-14,  // 0.00011763757
    -0x1.3692d40000000p-17, // -9.255813e-06
};
inline constexpr ExpandMathCoefficients F32Coefficients = {
    F32Exp,
    F32Log,
    F32Erf,
    0x1.f5a88a0000000p+1,
    0x1.62e0000000000p-1,
    0x1.0bfbe80000000p-15};

inline constexpr double F64Exp[] = {
    0x1.0000000000000p-1,  // 0.5
    0x1.5555555555559p-3,  // 0.16666667
    0x1.555555555553fp-5,  // 0.041666667
    0x1.111111110f6dap-7,  // 0.0083333333
    0x1.6c16c16c1f07fp-10, // 0.0013888889
    0x1.a01a01afd3f29p-13, // 0.0001984127
    0x1.a01a017bc397bp-16, // 2.4801587e-05
    0x1.71ddf87e6cbe2p-19, // 2.7557244e-06
    0x1.27e5363306fa6p-22, // 2.7557403e-07
    0x1.af5e75b3fbda9p-26, // 2.510898e-08
    0x1.1ee87d2f5e8edp-29, // 2.0875316e-09
};
inline constexpr double F64Log[] = {
    0x1.5555555555592p-1, // 0.66666667
    0x1.999999997fdacp-2, // 0.4
    0x1.24924941f1dd4p-2, // 0.28571429
    0x1.c71c5208c36b1p-3, // 0.22222199
    0x1.74663f08030cdp-3, // 0.18183564
    0x1.39a1b7902f9cep-3, // 0.15314048
    0x1.2f0582ce5991ap-3, // 0.14795973
};
inline constexpr double F64Erf[] = {
    0x1.06eba8214db68p-3,   // 0.12837917
    0x1.45f306dc9c897p-1,   // 0.63661977
    0x1.a4f4e2a1b207bp-4,   // 0.1027726
    -0x1.39668593d7cd6p-6,  // -0.019128447
    -0x1.b6b68bee55188p-13, // -0.00020919469
    0x1.bca67bd0eaf4ep-10,  // 0.0016962064
    -0x1.35654f99ae459p-11, // -0.00059012555
    0x1.b22bc21170ee3p-16,  // 2.5878604e-05
    0x1.0e7f9bf530e0ap-14,  // 6.4491862e-05
    -0x1.f2afd0d7b492fp-16, // -2.9724048e-05
    0x1.c950e66ee6692p-19,  // 3.4072698e-06
    0x1.7c8676b7833e9p-19,  // 2.835134e-06
    -0x1.d37dc7c9b2c63p-20, // -1.7415409e-06
    0x1.6929c74122d49p-22,  // 3.3635944e-07
    0x1.269a62b856b8dp-23,  // 1.3718524e-07
    -0x1.306f3ffbd5fdcp-23, // -1.4176339e-07
    0x1.1a534ea70731dp-24,  // 6.5734009e-08
    -0x1.6823608ee2df2p-26, // -2.0962802e-08
    0x1.57712933b2435p-28,  // 4.9977394e-09
    -0x1.f34df0a52eb18p-31, // -9.0822951e-10
    0x1.1287d5c7f65b5p-33,  // 1.2484207e-10
    -0x1.bbb6feadfb43ep-37, // -1.2611134e-11
    0x1.f1f7e74057db4p-41,  // 8.8456952e-13
    -0x1.5ad4a8080153ep-45, // -3.8505942e-14
    0x1.c39ec72231407p-51,  // 7.8343621e-16
};
inline constexpr ExpandMathCoefficients F64Coefficients = {
    F64Exp,
    F64Log,
    F64Erf,
    0x1.7afb48dc96627p+2,
    0x1.62e42fefa2000p-1,
    0x1.9ef35793c7673p-41};

} // namespace boo::compiler
