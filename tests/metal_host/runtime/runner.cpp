// Runs one launch of a kernel library in a process of its own: runner LIBRARY REQUEST ANSWER.
//
// The request holds the launch, the number of buffers and for each buffer its size, the offset of its
// first element (-1 for a null pointer), and its bytes; the answer holds the report and, where nothing
// failed, the bytes of every buffer. Each buffer is a block of its own, so that AddressSanitizer sees
// where it ends.

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "host.h"

namespace {

struct Buffer {
  char* memory;
  int64_t size, offset;
};

void read(FILE* file, void* to, size_t size) {
  if (size && fread(to, size, 1, file) != 1) {
    fprintf(stderr, "the request is cut short\n");
    exit(3);
  }
}

std::vector<Buffer> read_request(const char* path, metal_host::Launch& launch) {
  FILE* file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(3);
  }
  int64_t count;
  read(file, &launch, sizeof launch);
  read(file, &count, sizeof count);
  std::vector<Buffer> buffers(count);
  for (Buffer& buffer : buffers) {
    read(file, &buffer.size, sizeof buffer.size);
    read(file, &buffer.offset, sizeof buffer.offset);
    buffer.memory = static_cast<char*>(malloc(buffer.size));
    read(file, buffer.memory, buffer.size);
  }
  fclose(file);
  return buffers;
}

void write_answer(const char* path, const metal_host::Report& report, const std::vector<Buffer>& buffers) {
  FILE* file = fopen(path, "wb");
  if (!file) {
    perror(path);
    exit(3);
  }
  fwrite(&report, sizeof report, 1, file);
  if (!report.failed)
    for (const Buffer& buffer : buffers) fwrite(buffer.memory, 1, buffer.size, file);
  if (fclose(file)) {
    perror(path);
    exit(3);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: runner LIBRARY REQUEST ANSWER\n");
    return 3;
  }
  void* library = dlopen(arguments[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 3;
  }
  using Start = int (*)(void* const*, const metal_host::Launch*, metal_host::Report*);
  const Start start = reinterpret_cast<Start>(dlsym(library, "metal_host_launch"));
  metal_host::Launch launch;
  const std::vector<Buffer> buffers = read_request(arguments[2], launch);
  std::vector<void*> addresses;
  for (const Buffer& buffer : buffers) addresses.push_back(buffer.offset < 0 ? nullptr : buffer.memory + buffer.offset);
  metal_host::Report report;
  start(addresses.data(), &launch, &report);
  write_answer(arguments[3], report, buffers);
  std::_Exit(0);  // nothing is freed: see run
}
