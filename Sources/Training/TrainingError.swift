import Machine
package import ModelFamilies
package import SystemPackage

/// What keeps a training from starting or going on.
package enum TrainingError: Error, Equatable {
  /// Latents are to be kept, and images vary.
  case uncacheable
  /// What text encoders make of captions is to be kept, and captions vary.
  case varyingCaptions(option: String)
  /// The place that an option names cannot be written to.
  case output(option: String, reason: String)
  /// The run cannot fit, in bytes; with `fittingBlocks` blocks not kept it would.
  case memory(
    needed: Int, available: Int, fittingBlocks: Int?, checkpointsBlocks: Bool, isNarrow: Bool,
    isPrepared: Bool)
  /// The loss or a gradient is no number.
  case notFinite(what: String, step: Int, layer: String?, images: [FilePath])
  /// The same where a tensor of the checkpoint is none either.
  case damagedBase(FilePath, tensor: String, what: String, step: Int)
  /// Ranks do not train the same.
  case apart(rank: Int, host: String, firstHost: String, step: Int)
  /// There is nothing to encode images with.
  case missingVAE(FilePath)
  /// A family with which nothing is drawn here, and what asks for it.
  case undrawnFamily(FilePath, ModelFamily, option: String, remedy: String)
  /// A model to learn from that is not of the base's structure.
  case otherTeacher(FilePath, base: FilePath, expected: String, found: String)
  /// The state that was to be resumed is past the end.
  case finished(steps: Int)
  /// Stopped by an error after some steps; the state that was saved.
  case stopped(reason: String, state: FilePath)
  /// Stopped by an error, and the state could not be saved either.
  case unsaved(reason: String, second: String)
  /// Stopped by the user; the state, where one was saved.
  case interrupted(state: FilePath?)
}

extension TrainingError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .uncacheable:
      "'--cache_latents': images that are cropped or colored anew in every epoch cannot be kept; "
        + "remove it, or random_crop and color_aug"
    case .varyingCaptions(let option):
      "'\(option)': captions that are shuffled, dropped or drawn anew in every epoch cannot be kept; remove it, or "
        + "shuffle_caption, caption_dropout_rate, caption_dropout_every_n_epochs, caption_tag_dropout_rate, "
        + "token_warmup_step and enable_wildcard of every subset"
    case .output(let option, let reason): "'\(option)': \(reason)"
    case .memory(
      let needed, let available, let fittingBlocks, let checkpointsBlocks, let isNarrow,
      let isPrepared):
      "a step needs about \(needed.asGigabytes) of memory, \(available.asGigabytes) are available; "
        + (fittingBlocks.map { "'--blocks_to_swap \($0)' would fit; " } ?? "")
        + (checkpointsBlocks ? "" : "'--gradient_checkpointing', ")
        + (isNarrow ? "" : "'--mixed_precision bf16', ")
        + (isPrepared
          ? "a smaller 'batch_size' in '--dataset_config', or caches of a smaller 'resolution', take less"
          : "a smaller '--resolution' or '--train_batch_size' take less")
    case .notFinite(let what, let step, let layer, let images):
      "step \(step): \(what) is not a number"
        + (layer.map { ", first in layer '\($0)'" } ?? "")
        + (images.isEmpty ? "" : ", at \(images.map(\.string).joined(separator: ", "))")
        + "; a lower '--learning_rate' is the usual cure"
    case .damagedBase(let path, let tensor, let what, let step):
      "step \(step): \(what) is not a number, since the model's own weights are not: \(path): tensor '\(tensor)': "
        + "expected finite numbers, found NaN or infinity; take another copy of the file"
    case .apart(let rank, let host, let firstHost, let step):
      "step \(step): rank \(rank) (\(host)) has other parameters than rank 0 (\(firstHost)), whose processor rounds "
        + "otherwise; use machines of one kind"
    case .undrawnFamily(let path, let family, let option, let remedy):
      "\(path): '\(option)': of \(family.title) nothing is drawn here; give encoded items, described in a "
        + "file that ends in .toml" + (remedy.isEmpty ? "" : ", " + remedy)
    case .otherTeacher(let path, let base, let expected, let found):
      "\(path): '--teacher': expected \(expected), as \(base) has it, found \(found)"
    case .missingVAE(let path):
      "\(path): expected a VAE to encode images with, found none; name one with '--vae'"
    case .finished(let steps):
      "'--resume': the state has taken all \(steps) steps; raise '--max_train_steps' or "
        + "'--max_train_epochs' to go on"
    case .stopped(let reason, let state):
      "\(reason); the state is saved: to go on when that is mended, add '--resume \(state)'"
    case .unsaved(let reason, let second): "\(reason); the state is not saved: \(second)"
    case .interrupted(let state):
      state.map { "interrupted; to go on, add '--resume \($0)'" } ?? "interrupted"
    }
  }
}
