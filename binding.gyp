{
  'targets': [{
    'target_name': 'shardlog',
    'sources': ["<!@(node -p \"require('./scripts/native-sources').join(' ')\")"],
    'include_dirs': [
      'native',
      'include',
      "<!(node -p \"require('node-addon-api').include_dir\")"
    ],
    'defines': ['NAPI_VERSION=8', 'NAPI_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED',
      'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', '_FILE_OFFSET_BITS=64'],
    'cflags!': ['-fno-exceptions'],
    'cflags_cc!': ['-fno-exceptions', '-std=gnu++17', '-std=gnu++20'],
    'cflags': ['-O3', '-fvisibility=hidden', '-ffunction-sections', '-fdata-sections', '-Wall', '-Wextra', '-Werror'],
    'cflags_cc': ['-std=c++20', '-fvisibility-inlines-hidden'],
    'ldflags': [
      '-static-libstdc++',
      '-static-libgcc',
      '-Wl,-z,nodelete',
      '-Wl,-z,relro,-z,now',
      '-Wl,--gc-sections',
      '-Wl,--version-script=../native/napi/exports.map'
    ]
  }]
}
