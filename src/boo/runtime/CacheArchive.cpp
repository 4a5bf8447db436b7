//===- CacheArchive.cpp - A cache in one file -----------------------------===//
//
// The file is a POSIX tar archive (ustar) of <name>/<key>.so and .mlir. Only
// what looks exactly so is read back; names in the archive decide nothing but
// the key, which the artifact itself must repeat.
//
//===----------------------------------------------------------------------===//

#include "boo/runtime/Cache.h"
#include "boo/runtime/CacheTools.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Key.h"
#include "boo/runtime/Temporary.h"

#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

namespace {
struct TarHeader {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
  char type, link[100], magic[6], version[2], user[32], group[32];
  char major[8], minor[8], prefix[155], pad[12];
};
static_assert(sizeof(TarHeader) == 512);
constexpr int64_t kBlock = sizeof(TarHeader);
constexpr int64_t kMaxMember = int64_t(256) << 20;
} // namespace

static unsigned tarChecksum(TarHeader header) {
  std::memset(header.checksum, ' ', sizeof(header.checksum));
  unsigned char bytes[sizeof(header)];
  std::memcpy(bytes, &header, sizeof(header));
  unsigned sum = 0;
  for (unsigned char byte : bytes)
    sum += byte;
  return sum;
}

static void appendMember(std::string &out, const std::string &folder,
                         const std::string &file, std::string_view bytes) {
  TarHeader header{};
  std::snprintf(header.name, sizeof(header.name), "%s", file.c_str());
  std::snprintf(header.prefix, sizeof(header.prefix), "%s", folder.c_str());
  std::snprintf(header.mode, sizeof(header.mode), "%07o", 0644u);
  std::snprintf(header.uid, sizeof(header.uid), "%07o", 0u);
  std::snprintf(header.gid, sizeof(header.gid), "%07o", 0u);
  std::snprintf(header.size, sizeof(header.size), "%011llo",
                static_cast<unsigned long long>(bytes.size()));
  std::snprintf(header.mtime, sizeof(header.mtime), "%011llo",
                static_cast<unsigned long long>(::time(nullptr)));
  header.type = '0';
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  std::snprintf(header.checksum, sizeof(header.checksum), "%06o",
                tarChecksum(header));
  out.append(reinterpret_cast<const char *>(&header), sizeof(header));
  out += bytes;
  out.append(size_t((kBlock - int64_t(bytes.size()) % kBlock) % kBlock), '\0');
}

StatusOr<ArchiveReport> boo::exportCache(const std::string &dir,
                                         const std::string &file) {
  ArchiveReport report;
  std::string temporary = parentPath(file) + "/" + temporaryName();
  FileHandle out(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!out.isOpen())
    return systemError("create a file in", parentPath(file));
  struct Remove {
    const std::string &path;
    ~Remove() { ::unlink(path.c_str()); }
  } remove{temporary};
  auto write = [&](const std::string &bytes) -> Status {
    for (size_t done = 0; done < bytes.size();) {
      ssize_t n = ::write(out.fd(), bytes.data() + done, bytes.size() - done);
      if (n < 0)
        return systemError("write", temporary);
      done += size_t(n);
    }
    return Status::ok();
  };
  for (const CacheEntry &entry : listCache(dir)) {
    if (!entry.status.isOk()) {
      report.notes.push_back(entry.path + ": " + entry.status.message());
      continue;
    }
    std::string members;
    for (const char *suffix : {".so", ".mlir"}) {
      std::string path = parentPath(entry.path) + "/" + entry.key + suffix;
      if (auto bytes = readFile(path); bytes.isOk())
        appendMember(members, entry.name, entry.key + suffix, *bytes);
    }
    BOO_RETURN_IF_ERROR(write(members));
    ++report.entries;
  }
  BOO_RETURN_IF_ERROR(write(std::string(2 * kBlock, '\0')));
  if (::fsync(out.fd()) != 0 || ::rename(temporary.c_str(), file.c_str()) != 0)
    return systemError("write", file);
  return report;
}

namespace {
/// Where the parts of one entry lie in the archive.
struct Parts {
  int64_t artifactAt = -1, artifactBytes = 0;
  int64_t mlirAt = -1, mlirBytes = 0;
};

class ArchiveReader {
public:
  explicit ArchiveReader(int fd) : Fd(fd) {}

  Status index(std::map<std::string, Parts> &entries,
               std::vector<std::string> &notes) {
    for (int64_t at = 0;;) {
      TarHeader header;
      if (::pread(Fd, &header, sizeof(header), at) != ssize_t(sizeof(header)))
        return ioError("the archive ends without its closing block");
      if (header.name[0] == '\0')
        return Status::ok();
      if (std::memcmp(header.magic, "ustar", 5) != 0 ||
          octal(header.checksum, sizeof(header.checksum)) !=
              int64_t(tarChecksum(header)))
        return invalidArgument("not a tar archive, or a damaged one, at byte " +
                               std::to_string(at));
      int64_t size = octal(header.size, sizeof(header.size));
      if (size < 0 || size > kMaxMember)
        return invalidArgument("a member of the archive has a bad size");
      note(header, at + kBlock, size, entries, notes);
      at += kBlock + (size + kBlock - 1) / kBlock * kBlock;
    }
  }

  StatusOr<std::string> read(int64_t at, int64_t size) {
    std::string bytes(size_t(size), '\0');
    if (::pread(Fd, bytes.data(), bytes.size(), at) != ssize_t(size))
      return ioError("the archive is shorter than it says");
    return bytes;
  }

private:
  static int64_t octal(const char *text, size_t size) {
    int64_t value = 0;
    size_t i = 0;
    for (; i < size && text[i] >= '0' && text[i] <= '7'; ++i)
      value = value * 8 + (text[i] - '0');
    return i == 0 ? -1 : value;
  }

  static void note(const TarHeader &header, int64_t at, int64_t size,
                   std::map<std::string, Parts> &entries,
                   std::vector<std::string> &notes) {
    std::string path(header.name, ::strnlen(header.name, sizeof(header.name)));
    std::string file = baseName(path), key = file.substr(0, 32);
    bool isFile = header.type == '0' || header.type == '\0';
    if (isFile && isKey(key) && file == key + ".so") {
      entries[key].artifactAt = at;
      entries[key].artifactBytes = size;
    } else if (isFile && isKey(key) && file == key + ".mlir") {
      entries[key].mlirAt = at;
      entries[key].mlirBytes = size;
    } else if (header.type != '5') { // folders are no surprise
      notes.push_back(path + ": no cache entry");
    }
  }

  int Fd;
};
} // namespace

static Status importEntry(const std::string &dir, const std::string &key,
                          const Parts &parts, ArchiveReader &archive,
                          ArchiveReport &report) {
  std::string base = dir + "/" + temporaryName();
  struct Files {
    std::string artifact, mlir;
    ~Files() {
      ::unlink(artifact.c_str());
      ::unlink(mlir.c_str());
    }
  } files{base + ".so", base + ".mlir"};
  BOO_ASSIGN_OR_RETURN(std::string bytes,
                       archive.read(parts.artifactAt, parts.artifactBytes));
  BOO_RETURN_IF_ERROR(writeFile(files.artifact, bytes, /*sync=*/true));
  BOO_ASSIGN_OR_RETURN(ArtifactFile file, readArtifact(files.artifact, key));
  std::string name = safeName(file.manifest.name);
  if (readArtifact(dir + "/" + name + "/" + key + ".so", key).isOk()) {
    ++report.present;
    return Status::ok();
  }
  if (parts.mlirAt >= 0) {
    BOO_ASSIGN_OR_RETURN(bytes, archive.read(parts.mlirAt, parts.mlirBytes));
    BOO_RETURN_IF_ERROR(writeFile(files.mlir, bytes));
  }
  BOO_RETURN_IF_ERROR(publishFiles(dir, name, key, files.artifact, files.mlir));
  ++report.entries;
  return Status::ok();
}

StatusOr<ArchiveReport> boo::importCache(const std::string &dir,
                                         const std::string &file) {
  FileHandle in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.isOpen())
    return systemError("open", file);
  ArchiveReport report;
  ArchiveReader archive(in.fd());
  std::map<std::string, Parts> entries;
  Status indexed = archive.index(entries, report.notes);
  if (!indexed.isOk())
    return indexed.withContext(file);
  BOO_RETURN_IF_ERROR(makeDirectories(dir));
  removeAbandoned(dir);
  for (const auto &[key, parts] : entries) {
    if (parts.artifactAt < 0) {
      report.notes.push_back(key + ": has no artifact");
      continue;
    }
    Status status = importEntry(dir, key, parts, archive, report);
    if (!status.isOk())
      report.notes.push_back(key + ": " + status.message());
  }
  return report;
}
