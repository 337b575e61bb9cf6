// What the generated call of a kernel passes for its parameters: each converts to the parameter's type.
#pragma once

namespace metal_host {

struct Pointer {
  void* address;
  template <class T>
  operator T*() const { return static_cast<T*>(address); }
};

struct Reference {
  void* address;
  template <class T>
  operator T&() const { return *static_cast<T*>(address); }
};

struct Attribute {
  Coordinates value;
  operator uint3() const { return uint3(value.x, value.y, value.z); }
  operator uint2() const { return uint2(value.x, value.y); }
  operator uint() const { return value.x; }
  operator ushort3() const { return ushort3(value.x, value.y, value.z); }
  operator ushort2() const { return ushort2(value.x, value.y); }
  operator ushort() const { return ushort(value.x); }
};

inline Attribute attribute(Coordinates value) { return {value}; }
inline Attribute attribute(uint32_t value) { return {{value, 0, 0}}; }

}  // namespace metal_host
