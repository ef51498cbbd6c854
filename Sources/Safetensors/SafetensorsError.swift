public import Machine
public import SystemPackage
public import Tensors
public import TorchFiles

/// Why a file cannot be opened or written. Each case carries the file, the tensor where there is
/// one, and what was expected and found; its description is one line that says all of it. Cases may be
/// added.
@nonexhaustive
public enum SafetensorsError: Error, Hashable, Sendable {
  // === Files ===
  /// A system call failed.
  case io(FilePath, Operation, Errno)
  /// A path that is read or replaced as a file is something else.
  case notAFile(FilePath, found: FileKind)
  /// A path that files are to lie in is something else.
  case notAFolder(FilePath, found: FileKind)
  /// The content is of another format.
  case foreign(FilePath, ForeignFormat)
  /// A file of torch's cannot be read.
  case torch(FilePath, TorchFileError)
  /// A folder, its components included, holds no weights.
  case noWeights(FilePath)
  /// A folder holds several files and none has the plain name.
  case ambiguous(FilePath, candidates: [String])
  /// The disk has less room than the file will take.
  case noSpace(FilePath, needed: Int, available: Int)
  /// The name is one of torch's files, and safetensors would be written under it.
  case torchName(FilePath)

  // === Sets of files ===
  /// Some files of a set have been replaced and some have not.
  case unfinished(FilePath, isRunning: Bool)
  /// Replacing the files of a set failed when it had begun.
  case torn(reason: String, at: FilePath)
  /// The files of a set are all in place, and what follows failed.
  case notEnded(reason: String, at: FilePath)
  /// An interrupted replacement was begun in another folder, or by another user.
  case foreignExchange(FilePath, replaced: [FilePath], removed: [FilePath])
  /// An interrupted replacement cannot be finished: a file is neither the new one nor ready to be.
  case cannotFinish(FilePath, file: FilePath)
  /// A shard was not written together with its index.
  case otherSet(FilePath, shard: String)

  // === Header ===
  /// The file ends before the length of its header does.
  case tooShort(FilePath, length: Int)
  /// The header is longer than the 100 MB that the reference implementation allows, or would be.
  case headerTooLarge(FilePath, length: UInt64)
  /// The header ends behind the file.
  case headerBeyondEnd(FilePath, length: Int, available: Int)
  /// The header is no UTF-8; `offset` counts from its start.
  case notUTF8(FilePath, offset: Int)
  /// The header is not the JSON it should be; `offset` counts from the start of the header.
  case syntax(FilePath, tensor: String?, offset: Int, expected: Syntax, found: UInt8?)
  /// Objects and arrays within each other are more than any header needs.
  case nestedTooDeeply(FilePath, limit: Int)
  /// `__metadata__` stands in the header twice.
  case duplicateMetadata(FilePath)
  /// A value of `__metadata__` is no text.
  case metadataNotString(FilePath, key: String)
  /// Two tensors have one name.
  case duplicateTensor(FilePath, tensor: String)
  /// A tensor has its format, shape or place twice.
  case duplicateField(FilePath, tensor: String, field: String)
  /// A tensor lacks its format, shape or place.
  case missingField(FilePath, tensor: String, field: String)
  /// The format of a tensor is none of `DType`.
  case unknownDType(FilePath, tensor: String, found: String)
  /// A number that must be an unsigned integer is not one, or does not fit.
  case notUnsigned(FilePath, tensor: String, field: String, found: String)
  /// The place of a tensor is not a begin and an end.
  case offsetCount(FilePath, tensor: String, found: Int)

  // === Texts beside a file ===
  /// A file that holds nothing but JSON holds something else.
  case json(FilePath, offset: Int, expected: Syntax, found: UInt8?)
  /// Such a file is longer than any of its kind.
  case textTooLong(FilePath, limit: Int, found: Int)

  // === Data ===
  /// A tensor would have more bytes than an `Int` counts.
  case shapeOverflow(FilePath, tensor: String, dtype: DType, shape: Shape)
  /// Elements narrower than a byte do not fill their last one.
  case partialByte(FilePath, tensor: String, dtype: DType, shape: Shape)
  /// The place of a tensor ends before it begins.
  case reversedOffsets(FilePath, tensor: String, begin: Int, end: Int)
  /// A tensor's place has another size than its format and shape.
  case sizeMismatch(
    FilePath, tensor: String, dtype: DType, shape: Shape, expected: Int, found: Int)
  /// A tensor begins before the one ahead of it ends.
  case overlap(FilePath, tensor: String, begin: Int, previousEnd: Int)
  /// Bytes between two tensors belong to none.
  case hole(FilePath, tensor: String, begin: Int, previousEnd: Int)
  /// The file ends before its last tensor does; sizes are of the whole file.
  case truncatedData(FilePath, expected: Int, found: Int)
  /// The file goes on behind its last tensor; sizes are of the whole file.
  case trailingBytes(FilePath, expected: Int, found: Int)

  // === Shards ===
  /// An index does not say which shard has which tensor.
  case missingWeightMap(FilePath)
  /// An index names a tensor twice.
  case duplicateInIndex(FilePath, tensor: String)
  /// A shard's name in the index leaves the folder of the index.
  case shardOutsideFolder(FilePath, tensor: String, shard: String)
  /// A shard that the index names is not there.
  case missingShard(FilePath, tensor: String, shard: String)
  /// A tensor is not in the shard that the index names.
  case missingFromShard(FilePath, tensor: String, shard: String)
  /// A shard has a tensor that the index does not name.
  case missingFromIndex(FilePath, tensor: String, shard: String)
  /// Two shards have a tensor of one name.
  case inTwoShards(FilePath, tensor: String, first: String, second: String)
  /// A folder holds shards without the index that says they are complete.
  case shardsWithoutIndex(FilePath, shards: [String])

  // === Compression ===
  /// A compressed file ends before its data does.
  case truncatedZstd(FilePath)
  /// A compressed file cannot be unpacked; `reason` is libzstd's.
  case corruptZstd(FilePath, reason: String)
  /// Compressing failed; `reason` is libzstd's.
  case zstdEncoder(FilePath, reason: String)
}
