/** Where loggers keep what this folder adds to them. */

/** The object that a logger and all its children inherit from, and others do not. */
export const familySym: unique symbol = Symbol('shardlog.family')
/** The level methods of a family of loggers. */
export const methodsSym: unique symbol = Symbol('shardlog.methods')
/** The features that a family of loggers uses; undefined while it uses none. */
export const featuresSym: unique symbol = Symbol('shardlog.features')
