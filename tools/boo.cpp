//===- boo.cpp - The boo program ------------------------------------------===//

#include "boo/driver/BooCommand.h"

int main(int argc, char **argv) {
  return boo::booCommand({argv + 1, argv + argc});
}
