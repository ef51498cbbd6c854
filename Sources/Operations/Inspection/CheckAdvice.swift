/// What to do about a finding of `Inspection.check`, a sentence for each kind.
enum CheckAdvice: String, Sendable {
  case scales =
    "The scales do not belong to these weights: take the file from where it was quantized, or another copy of it."
  case notFinite =
    "What wrote the file went wrong: take an earlier epoch, or train with a lower rate or in bf16. Pictures turn black or grey with it."
  case refused =
    "Only the program that wrote it loads it: convert it there, to LoRA if it can."
  case orphan =
    "Loaders pass over it: fetch the file again if it should be whole, or ask for the version of the tool that wrote it."
  case duplicate =
    "Loaders take one of the two: write the file again from its trainer, with one kind of names."
  case rivals =
    "Two adapters lie over one another: separate them where they were joined."
  case factors =
    "Factors do not go together, as after an interrupted copy or an edit: take another copy or an earlier epoch."
  case alpha =
    "The strength is not as trained: take another copy, or set it again with the tool that resized or edited the file."
  case scaling =
    "Load it at the strength by which training scaled: alpha divided by the root of the rank it was trained with."
  case untrained =
    "Nothing was learned: check that training ran, that its rate is above 0 and that the file is its last."
  case hash =
    "The numbers are not those that the hash was made of: it was edited without a new hash, or damaged. Take another copy, or write it again with lyco-convert."
}
