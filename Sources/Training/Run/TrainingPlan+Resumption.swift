import Checkpoints
import Safetensors

/// What is not as it was in a run that goes on.
extension TrainingPlan {
  /// Where a run goes on with other rates than it had.
  var rateNotice: String? {
    guard let before = state?.progress.rates, before != rates else { return nil }
    func text(_ rates: [String: Double]) -> String {
      rates.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
    return
      "'--resume': the state was saved with learning rates \(text(before)); what is given now counts from here on: "
      + text(rates)
  }

  /// Where a run goes on with noise, times or losses of other settings than it had.
  var objectiveNotice: String? {
    guard let before = state?.progress.objective else { return nil }
    let now = objectiveSettings
    let names = Set(before.keys).union(now.keys).filter { before[$0] != now[$0] }.sorted()
    guard !names.isEmpty else { return nil }
    func text(_ settings: [String: String]) -> String {
      names.map { "\($0) \(settings[$0] ?? "not given")" }.joined(separator: ", ")
    }
    return
      "'--resume': the state was saved with \(text(before)); what is given now counts from here on: \(text(now))"
  }

  /// Where a run goes on with another model, or with captions of another length, than it had.
  var modelNotices: [String] {
    guard let before = state?.progress.model else { return [] }
    let now = trainedModel
    var notices: [String] = []
    if before.weights != now.weights {
      notices.append(
        "'--resume': the state was saved upon other weights than those of \(base.file.path): what was learned upon them "
          + "goes on upon these")
    }
    if before.tokens != now.tokens {
      notices.append(
        "'--resume': the state was saved with captions of \(before.tokens) tokens; from here on they have \(now.tokens)"
      )
    }
    return notices
  }
}
