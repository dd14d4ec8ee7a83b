{
  "targets": [
    {
      "target_name": "floor",
      "sources": ["floor.cc", "copy.cc", "clock.cc", "raw_write.cc", "usage.cc"],
      "cflags_cc": ["-std=c++20", "-O3", "-Wall", "-Wextra", "-Werror"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"]
    }
  ]
}
