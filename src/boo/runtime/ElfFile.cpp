//===- ElfFile.cpp --------------------------------------------------------===//

#include "boo/runtime/ElfFile.h"
#include "boo/runtime/Files.h"

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

static bool inside(uint64_t offset, uint64_t size, uint64_t total) {
  return offset <= total && size <= total - offset;
}

static Status checkHeader(const Elf64_Ehdr &header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return invalidArgument("not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64)
    return invalidArgument("ELF file of another machine");
  if (header.e_type != ET_DYN)
    return invalidArgument("ELF file is no shared object");
  return Status::ok();
}

StatusOr<ByteRange> boo::findElfSection(std::string_view file,
                                        std::string_view name) {
  Elf64_Ehdr header;
  if (file.size() < sizeof(header))
    return invalidArgument("file of " + std::to_string(file.size()) +
                           " bytes is too short for an ELF header");
  std::memcpy(&header, file.data(), sizeof(header));
  BOO_RETURN_IF_ERROR(checkHeader(header));
  uint64_t count = header.e_shnum;
  if (header.e_shentsize != sizeof(Elf64_Shdr) ||
      !inside(header.e_shoff, count * sizeof(Elf64_Shdr), file.size()) ||
      header.e_shstrndx >= count)
    return invalidArgument("ELF section table lies outside of the file");
  auto section = [&](uint64_t index) {
    Elf64_Shdr result;
    std::memcpy(&result, file.data() + header.e_shoff + index * sizeof(result),
                sizeof(result));
    return result;
  };
  Elf64_Shdr names = section(header.e_shstrndx);
  if (!inside(names.sh_offset, names.sh_size, file.size()))
    return invalidArgument("ELF section names lie outside of the file");
  std::string_view strings = file.substr(names.sh_offset, names.sh_size);
  for (uint64_t i = 0; i < count; ++i) {
    Elf64_Shdr candidate = section(i);
    if (candidate.sh_name >= strings.size())
      continue;
    std::string_view found = strings.substr(candidate.sh_name);
    size_t end = found.find('\0');
    if (end == std::string_view::npos || found.substr(0, end) != name)
      continue;
    if (candidate.sh_type == SHT_NOBITS ||
        !inside(candidate.sh_offset, candidate.sh_size, file.size()))
      return invalidArgument("section " + std::string(name) +
                             " lies outside of the file");
    return ByteRange{candidate.sh_offset, candidate.sh_size};
  }
  return notFound("no section " + std::string(name));
}

namespace {
/// Preads parts of a file.
class ElfInfoReader {
public:
  ElfInfoReader(int fd, uint64_t size) : Fd(fd), Size(size) {}

  StatusOr<ElfInfo> read() {
    Elf64_Ehdr header;
    BOO_RETURN_IF_ERROR(readAt(0, &header, sizeof(header)));
    BOO_RETURN_IF_ERROR(checkHeader(header));
    if (header.e_phentsize != sizeof(Elf64_Phdr))
      return invalidArgument("bad ELF program headers");
    Segments.resize(header.e_phnum);
    BOO_RETURN_IF_ERROR(readAt(header.e_phoff, Segments.data(),
                               Segments.size() * sizeof(Elf64_Phdr)));
    for (const Elf64_Phdr &segment : Segments) {
      if (segment.p_type == PT_NOTE)
        BOO_RETURN_IF_ERROR(readNotes(segment));
      else if (segment.p_type == PT_DYNAMIC)
        BOO_RETURN_IF_ERROR(readDynamic(segment));
    }
    return std::move(Info);
  }

private:
  Status readAt(uint64_t offset, void *to, uint64_t size) {
    if (!inside(offset, size, Size))
      return invalidArgument("ELF headers point outside of the file");
    ssize_t n = ::pread(Fd, to, size, off_t(offset));
    if (n != ssize_t(size))
      return ioError("short read");
    return Status::ok();
  }

  Status readNotes(const Elf64_Phdr &segment) {
    constexpr uint64_t limit = 1 << 16;
    std::string notes(std::min<uint64_t>(segment.p_filesz, limit), '\0');
    BOO_RETURN_IF_ERROR(readAt(segment.p_offset, notes.data(), notes.size()));
    for (uint64_t at = 0; inside(at, sizeof(Elf64_Nhdr), notes.size());) {
      Elf64_Nhdr note;
      std::memcpy(&note, notes.data() + at, sizeof(note));
      uint64_t name = at + sizeof(note);
      uint64_t text = name + ((uint64_t(note.n_namesz) + 3) & ~uint64_t(3));
      uint64_t next = text + ((uint64_t(note.n_descsz) + 3) & ~uint64_t(3));
      if (next > notes.size())
        break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
          notes.compare(name, 4, std::string_view("GNU\0", 4)) == 0)
        Info.buildId =
            toHex(std::string_view(notes).substr(text, note.n_descsz));
      at = next;
    }
    return Status::ok();
  }

  static std::string toHex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned char byte : bytes) {
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
    return text;
  }

  Status readDynamic(const Elf64_Phdr &segment) {
    constexpr uint64_t limit = 4096;
    std::vector<Elf64_Dyn> entries(
        std::min<uint64_t>(segment.p_filesz / sizeof(Elf64_Dyn), limit));
    BOO_RETURN_IF_ERROR(readAt(segment.p_offset, entries.data(),
                               entries.size() * sizeof(Elf64_Dyn)));
    uint64_t strings = 0, stringsSize = 0;
    for (const Elf64_Dyn &entry : entries) {
      if (entry.d_tag == DT_STRTAB)
        strings = entry.d_un.d_ptr;
      else if (entry.d_tag == DT_STRSZ)
        stringsSize = entry.d_un.d_val;
    }
    for (const Elf64_Phdr &load : Segments)
      if (load.p_type == PT_LOAD && strings >= load.p_vaddr &&
          strings - load.p_vaddr < load.p_filesz) {
        strings = strings - load.p_vaddr + load.p_offset;
        break;
      }
    for (const Elf64_Dyn &entry : entries) {
      if (entry.d_tag == DT_NULL)
        break;
      if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RUNPATH &&
          entry.d_tag != DT_RPATH)
        continue;
      if (entry.d_un.d_val >= stringsSize)
        return invalidArgument("ELF string lies outside of its table");
      std::string text(std::min<uint64_t>(stringsSize - entry.d_un.d_val, 4096),
                       '\0');
      BOO_RETURN_IF_ERROR(
          readAt(strings + entry.d_un.d_val, text.data(), text.size()));
      text.resize(std::min(text.find('\0'), text.size()));
      if (entry.d_tag == DT_NEEDED)
        Info.needed.push_back(std::move(text));
      else
        Info.runPath = std::move(text);
    }
    return Status::ok();
  }

  int Fd;
  uint64_t Size;
  std::vector<Elf64_Phdr> Segments;
  ElfInfo Info;
};
} // namespace

StatusOr<ElfInfo> boo::readElfInfo(const std::string &path) {
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (!file.isOpen() || ::fstat(file.fd(), &info) != 0)
    return systemError("open", path);
  auto result = ElfInfoReader(file.fd(), uint64_t(info.st_size)).read();
  if (!result.isOk())
    return result.status().withContext(path);
  return result;
}
