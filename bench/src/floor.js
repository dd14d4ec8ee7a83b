'use strict'

/**
 * The native floors: empty, copyUtf8, copyBuffer, streamUtf8, streamBuffer, stamp, clock,
 * clockSource, rawWrite, threadUsage.
 */
module.exports = require('../floor/build/Release/floor.node')
