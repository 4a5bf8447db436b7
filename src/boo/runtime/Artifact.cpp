//===- Artifact.cpp -------------------------------------------------------===//

#include "boo/runtime/Artifact.h"
#include "boo/base/Hash.h"
#include "boo/runtime/ElfFile.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Temporary.h"
#include "boo/runtime/Trust.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

static constexpr std::string_view kChecksumField = "checksum ";
static constexpr size_t kChecksumDigits = 32;
/// A kernel is tens of kilobytes; a file of this size is none.
static constexpr off_t kMaxBytes = off_t(256) << 20;

/// Finds the manifest's text in the bytes of an artifact, and the offset of its
/// checksum in the file.
static Status findManifest(std::string_view file, std::string_view *text,
                           size_t *checksumOffset) {
  BOO_ASSIGN_OR_RETURN(ByteRange section,
                       findElfSection(file, BOO_MANIFEST_SECTION));
  std::string_view bytes = file.substr(section.offset, section.size);
  size_t end = bytes.find('\0');
  if (end == std::string_view::npos)
    return invalidArgument("the manifest has no closing NUL");
  *text = bytes.substr(0, end);
  if (text->substr(0, kChecksumField.size()) != kChecksumField ||
      text->size() < kChecksumField.size() + kChecksumDigits)
    return invalidArgument("the manifest does not begin with a checksum");
  *checksumOffset = section.offset + kChecksumField.size();
  return Status::ok();
}

static std::string computeChecksum(std::string_view file, size_t offset) {
  Hasher hasher;
  hasher.update(file.substr(0, offset));
  hasher.update(std::string(kChecksumDigits, '0'));
  hasher.update(file.substr(offset + kChecksumDigits));
  return hasher.hex();
}

Status boo::sealArtifact(const std::string &path) {
  FileHandle handle(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!handle.isOpen())
    return systemError("open", path);
  std::string file;
  std::string_view text;
  size_t offset = 0;
  Status status = readAll(handle.fd(), &file);
  if (status.isOk())
    status = findManifest(file, &text, &offset);
  if (!status.isOk())
    return status.withContext(path);
  std::string checksum = computeChecksum(file, offset);
  if (::pwrite(handle.fd(), checksum.data(), checksum.size(), off_t(offset)) !=
      ssize_t(checksum.size()))
    return systemError("write", path);
  // Before the rename that publishes it: a crash must not leave the name with
  // blocks that never reached the disk.
  if (::fsync(handle.fd()) != 0)
    return systemError("sync", path);
  return Status::ok();
}

static Status readChecked(const std::string &path, std::string *bytes,
                          struct stat *info) {
  // Verifying is no use: gc goes by the time of access, which Cache keeps.
  // Only the owner may leave it alone.
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  FileHandle handle(::open(path.c_str(), flags | O_NOATIME));
  if (!handle.isOpen() && errno == EPERM)
    handle = FileHandle(::open(path.c_str(), flags));
  if (!handle.isOpen())
    return errno == ELOOP ? ioError("the file is a symbolic link")
                          : systemError("open", path);
  if (::fstat(handle.fd(), info) != 0)
    return systemError("stat", path);
  if (!S_ISREG(info->st_mode))
    return ioError("it is no regular file");
  BOO_RETURN_IF_ERROR(checkOwner(*info, "the file"));
  // Who may write to the folder may swap the file between check and load.
  struct stat folder;
  if (::stat(parentPath(path).c_str(), &folder) != 0)
    return systemError("stat", parentPath(path));
  BOO_RETURN_IF_ERROR(checkOwner(folder, "its folder"));
  if (info->st_size > kMaxBytes)
    return ioError("the file is larger than any artifact");
  return readAll(handle.fd(), bytes);
}

StatusOr<ArtifactFile> boo::readArtifact(const std::string &path,
                                         const std::string &expectedKey) {
  struct stat info;
  std::string bytes;
  BOO_RETURN_IF_ERROR(readChecked(path, &bytes, &info));
  std::string_view text;
  size_t offset = 0;
  BOO_RETURN_IF_ERROR(findManifest(bytes, &text, &offset));
  if (computeChecksum(bytes, offset) !=
      std::string_view(bytes).substr(offset, kChecksumDigits))
    return invalidArgument("the checksum does not hold: the file is damaged");
  ArtifactFile file;
  BOO_ASSIGN_OR_RETURN(file.manifest, parseManifest(text));
  if (file.manifest.kernelAbi != BOO_KERNEL_ABI_VERSION)
    return unsupported(
        "made for kernel ABI " + std::to_string(file.manifest.kernelAbi) +
        ", this is ABI " + std::to_string(BOO_KERNEL_ABI_VERSION));
  if (!expectedKey.empty() && file.manifest.key != expectedKey)
    return invalidArgument("its key is " + file.manifest.key + ", not " +
                           expectedKey);
  file.path = path;
  file.manifestText = text;
  file.device = info.st_dev;
  file.inode = info.st_ino;
  file.bytes = uint64_t(info.st_size);
  return file;
}

static bool repeatsManifest(const DynamicLibrary &library,
                            const std::string &text) {
  const char *loaded =
      static_cast<const char *>(library.find(BOO_MANIFEST_SYMBOL));
  return loaded && std::strncmp(loaded, text.c_str(), text.size() + 1) == 0;
}

/// Opens the file that was read. The name is the real path: glibc takes two
/// /proc/self/fd names for one library when their text is equal.
static StatusOr<DynamicLibrary> openSame(const ArtifactFile &file,
                                         const std::string &path) {
  BOO_ASSIGN_OR_RETURN(DynamicLibrary library, DynamicLibrary::open(path));
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return systemError("stat", path);
  if (info.st_dev != file.device || info.st_ino != file.inode)
    return ioError("the file was replaced while it was loaded");
  if (!repeatsManifest(library, file.manifestText))
    return internalError("the loaded manifest is another one");
  return library;
}

/// After a recompile glibc still knows the older file by this name. A second
/// name for the new file gets it loaded.
static StatusOr<DynamicLibrary> openByOtherName(const ArtifactFile &file) {
  std::string name = parentPath(file.path) + "/" + temporaryName();
  if (::link(file.path.c_str(), name.c_str()) != 0)
    return systemError("link", name);
  auto library = openSame(file, name);
  ::unlink(name.c_str());
  return library;
}

Status Artifact::resolve() {
  auto all = [&](const std::vector<Dispatch> &dispatches,
                 std::vector<Kernel> &kernels) -> Status {
    for (const Dispatch &dispatch : dispatches) {
      void *address = Library.find(dispatch.symbol.c_str());
      if (!address)
        return invalidArgument("no function " + dispatch.symbol);
      kernels.push_back(
          {reinterpret_cast<boo_dispatch_fn>(address), dispatch.grid});
    }
    return Status::ok();
  };
  BOO_RETURN_IF_ERROR(all(Text.prepare, Prepare));
  return all(Text.run, Run);
}

StatusOr<std::shared_ptr<const Artifact>>
boo::loadArtifact(const std::string &path, const std::string &expectedKey) {
  BOO_ASSIGN_OR_RETURN(ArtifactFile file, readArtifact(path, expectedKey));
  BOO_ASSIGN_OR_RETURN(Target target, parseTarget(file.manifest.target));
  BOO_RETURN_IF_ERROR(canRun(target));
  auto library = openSame(file, path);
  if (!library.isOk() && library.status().code() == StatusCode::Internal)
    library = openByOtherName(file);
  if (!library.isOk())
    return library.status();
  auto artifact = std::make_shared<Artifact>();
  artifact->Library = std::move(*library);
  artifact->Text = std::move(file.manifest);
  artifact->Path = path;
  BOO_RETURN_IF_ERROR(artifact->resolve());
  return std::shared_ptr<const Artifact>(std::move(artifact));
}
