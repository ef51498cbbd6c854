import Checkpoints
import CommandSupport
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage
import Training

/// A run and how it has got on: what `--html FILE.json` holds, and the page for programs.
struct RunDescription: Encodable {
  enum Status: String, Encodable {
    /// Before the first step: weights are read, images and captions are encoded.
    case starting
    case running, finished, interrupted, failed
  }

  /// The adapter.
  let output: String
  let base, family: String
  var status = Status.starting
  /// What the tool said at the end of a run that did not finish.
  var message: String?
  /// The last step of the whole run.
  let steps: Int
  let epochs: Int
  /// Over the steps of this part of the run.
  var secondsPerStep: Double?
  /// What is trained, on what, and what that takes, in words.
  let facts: [String]
  let notices: [String]
  let options: [String]
  let seed: UInt64
  var history: TrainingHistory

  init(_ plan: TrainingPlan, options: [String], history: TrainingHistory) {
    let output = plan.configuration.output
    self.output = output.folder.appending(output.name + ".safetensors").string
    base = plan.base.file.path.text
    family = plan.base.layout.family.title
    steps = plan.arithmetic.lastStep(from: plan.start)
    epochs = plan.arithmetic.epochs
    facts = [plan.network.summary] + plan.images.summary.lines
    notices = plan.notices
    self.options = options
    seed = plan.seed
    self.history = history
  }
}
