//===- TensorFiles.cpp - The .npy files of --save and --load --------------===//

#include "boo/driver/TensorFiles.h"
#include "boo/base/Hash.h"
#include "boo/driver/records/Npy.h"
#include "boo/ops/Reference.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Temporary.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

TensorFiles::TensorFiles(const std::string &dir, const Graph &graph,
                         const std::string &name)
    : Stem(dir + "/" + name + "-" + hashHex(printGraph(graph)).substr(0, 8)),
      TheGraph(&graph) {}

std::string TensorFiles::inputPath(size_t index) const {
  return Stem + ".input" + std::to_string(index) + ".npy";
}

std::string TensorFiles::outputPath(size_t index,
                                    const std::string &backend) const {
  return Stem + ".output" + std::to_string(index) + "." + backend + ".npy";
}

Status TensorFiles::saveInputs(std::span<const void *const> in) const {
  BOO_RETURN_IF_ERROR(makeDirectories(parentPath(Stem)));
  const std::vector<ValueId> &arguments = TheGraph->arguments();
  for (size_t i = 0; i != arguments.size(); ++i)
    BOO_RETURN_IF_ERROR(
        saveTensor(inputPath(i), TheGraph->value(arguments[i]).type, in[i]));
  return Status::ok();
}

Status TensorFiles::saveOutputs(std::span<void *const> out,
                                const std::string &backend) const {
  BOO_RETURN_IF_ERROR(makeDirectories(parentPath(Stem)));
  const std::vector<Output> &outputs = TheGraph->outputs();
  for (size_t i = 0; i != outputs.size(); ++i)
    BOO_RETURN_IF_ERROR(saveTensor(outputPath(i, backend),
                                   TheGraph->value(outputs[i].value).type,
                                   out[i]));
  return Status::ok();
}

Status TensorFiles::loadInputs(const Operands &operands) const {
  const std::vector<ValueId> &arguments = TheGraph->arguments();
  for (size_t i = 0; i != arguments.size(); ++i)
    BOO_RETURN_IF_ERROR(loadTensor(inputPath(i),
                                   TheGraph->value(arguments[i]).type,
                                   operands.argument(i)));
  return Status::ok();
}

static std::vector<int64_t> shapeOf(const TensorType &type) {
  std::vector<int64_t> shape;
  for (const Dim &dim : type.sizes)
    shape.push_back(dim.size());
  return shape;
}

Status boo::saveTensor(const std::string &path, const TensorType &type,
                       const void *data) {
  NpyHead head;
  head.descr = npyDescr(type.dtype);
  head.shape = shapeOf(type);
  std::string bytes = printNpyHead(head);
  size_t each = size_t(dtypeBytes(type.dtype));
  for (int64_t at : elementPositions(type))
    bytes.append(static_cast<const char *>(data) + size_t(at) * each, each);
  // Two lines of a file may name the same tensors, at once with --jobs.
  std::string temporary = parentPath(path) + "/" + temporaryName();
  Status status = writeFile(temporary, bytes);
  if (status.isOk() && ::chmod(temporary.c_str(), 0644) == 0 &&
      ::rename(temporary.c_str(), path.c_str()) == 0)
    return status;
  if (status.isOk())
    status = systemError("rename", path);
  ::unlink(temporary.c_str());
  return status;
}

static std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "(";
  for (size_t i = 0; i != shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

static Status checkHead(const NpyHead &head, const TensorType &type) {
  if (!npyHolds(head.descr, type.dtype))
    return invalidArgument("its elements are '" + head.descr + "', but " +
                           std::string(dtypeName(type.dtype)) + " takes '" +
                           std::string(npyDescr(type.dtype)) + "'");
  if (head.shape != shapeOf(type))
    return invalidArgument(
        "its sizes are " + shapeText(head.shape) + ", but this input's are " +
        shapeText(shapeOf(type)) + ", in logical order whatever the layout");
  return Status::ok();
}

/// Reads exactly `size` bytes.
static Status readAt(int fd, char *data, size_t size, size_t offset) {
  while (size > 0) {
    ssize_t n = ::pread(fd, data, size, off_t(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return ioError(n < 0 ? std::strerror(errno) : "it ends too early");
    data += n;
    offset += size_t(n);
    size -= size_t(n);
  }
  return Status::ok();
}

/// Row-major positions of a tensor that lies column by column.
static std::vector<int64_t> fortranPositions(TensorType type) {
  int64_t stride = 1;
  for (size_t d = 0; d != type.rank(); ++d) {
    type.strides[d] = stride;
    stride *= std::max<int64_t>(type.sizes[d].size(), 1);
  }
  return elementPositions(type);
}

static Status readTensor(int fd, const TensorType &type, void *data) {
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
    return invalidArgument("this is no regular file");
  std::string begin(std::min(kNpyHeadBytes, size_t(info.st_size)), '\0');
  BOO_RETURN_IF_ERROR(readAt(fd, begin.data(), begin.size(), 0));
  BOO_ASSIGN_OR_RETURN(NpyHead head, parseNpyHead(begin));
  BOO_RETURN_IF_ERROR(checkHead(head, type));
  size_t each = size_t(dtypeBytes(type.dtype));
  size_t size = size_t(head.numElements()) * each;
  if (size_t(info.st_size) - head.dataOffset != size)
    return invalidArgument(
        "it holds " + std::to_string(size_t(info.st_size) - head.dataOffset) +
        " bytes of elements, but its head tells of " + std::to_string(size));
  std::string bytes(size, '\0');
  BOO_RETURN_IF_ERROR(readAt(fd, bytes.data(), size, head.dataOffset));
  std::vector<int64_t> to = elementPositions(type), from;
  if (head.fortranOrder)
    from = fortranPositions(type);
  for (size_t i = 0; i != to.size(); ++i)
    std::memcpy(static_cast<char *>(data) + size_t(to[i]) * each,
                bytes.data() + (from.empty() ? i : size_t(from[i])) * each,
                each);
  return Status::ok();
}

Status boo::loadTensor(const std::string &path, const TensorType &type,
                       void *data) {
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.isOpen()) {
    Status status = systemError("open", path);
    return status.code() == StatusCode::NotFound
               ? Status(status.code(), status.message() +
                                           "; --save with the same command "
                                           "writes a file of that name")
               : status;
  }
  Status status = readTensor(file.fd(), type, data);
  return status.isOk() ? status : status.withContext(path);
}
